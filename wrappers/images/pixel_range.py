"""Range of an image's pixels, as its space declares it.

`PixelRange`  declared range, and conversion of pixels to uint8 in 0..255 or floats in [0, 1]
"""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Shaped

from rlpriors.wrappers.arrays import Array, cast

__all__ = ["PixelRange"]

FLOAT_RANGES = ((0.0, 1.0), (0.0, 255.0), (-1.0, 1.0))
TOLERANCE = 0.5 / 255
"""Accepted excess of floats beyond their range, as a fraction of the range: half a level in 255."""


class PixelRange(NamedTuple):
    """Range of an image's pixels, equal for all of them.

    Example:
        >>> space = gym.spaces.Box(0, 255, (4, 4, 3), np.float32)
        >>> bool(np.isclose(PixelRange.of_space(space, "The observation").convert(np.full(1, 51.0)), 0.2)[0])
        True
    """

    low: float
    """Declared lower bound, black."""
    high: float
    """Declared upper bound, white."""
    dtype: np.dtype[Any]
    """Data type of the space."""

    @classmethod
    def of_space(cls, space: gym.spaces.Box, what: str) -> "PixelRange":
        """Return the range that a space declares.

        Raises:
            ValueError: integers are not declared in 0..255, or floats in none of [0, 1], [0, 255], [-1, 1].
        """
        dtype = np.dtype(space.dtype)
        bounds = {(float(low), float(high)) for low, high in _corners(space)}
        allowed = FLOAT_RANGES if dtype.kind == "f" else ((0.0, 255.0),)
        if dtype.kind not in "fiu" or len(bounds) > 1 or not bounds <= set(allowed):
            (low, high) = min(bounds) if len(bounds) == 1 else (space.low.min(), space.high.max())
            raise ValueError(
                f"{what} must be a Box of integers in 0..255, or of floats in [0, 1], [0, 255] or [-1, 1]: "
                f"the bounds of the space set the range of the pixels. Received {dtype} in "
                f"[{low:g}, {high:g}]; declare or convert them, for example by "
                "gymnasium.wrappers.TransformObservation."
            )
        return cls(*bounds.pop(), dtype)

    @property
    def is_bytes(self) -> bool:
        """True if `convert` returns uint8."""
        return self.dtype.kind != "f"

    def convert(self, pixels: Shaped[Array, "..."], what: str = "The observation") -> Shaped[Array, "..."]:
        """Return the pixels, an array or a tensor, as uint8 in 0..255, or as float32 in [0, 1].

        Raises:
            ValueError: pixels are NaN or outside the declared range, beyond half a level in 255.
        """
        if self.dtype == np.uint8 or 0 in pixels.shape:
            return pixels
        low, high = float(pixels.min()), float(pixels.max())
        slack = 0.0 if self.is_bytes else TOLERANCE * (self.high - self.low)
        if not (low >= self.low - slack and high <= self.high + slack):  # also true for NaN
            raise ValueError(
                f"{what} must be in the range of its space, [{self.low:g}, {self.high:g}]. Received values "
                f"from {low:g} to {high:g}; correct the environment's `observation_space`."
            )
        if self.is_bytes:
            return cast(pixels, "uint8")
        scaled = cast(pixels, "float32")
        if (self.low, self.high) != (0.0, 1.0):
            scaled = (scaled - self.low) / (self.high - self.low)
        elif low >= 0.0 and high <= 1.0:
            return scaled
        return scaled.clip(0.0, 1.0)


def _corners(space: gym.spaces.Box) -> set[tuple[Any, Any]]:
    pairs = np.stack([space.low.reshape(-1), space.high.reshape(-1)], -1).astype(np.float64)
    return {(low, high) for low, high in np.unique(pairs, axis=0).tolist()}
