"""One image of an observation space.

`ImageLeaf`  path, space and layout of an image, and its frames with ordered axes
"""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Shaped

from rlpriors.wrappers.arrays import Array, dtype_name, permute
from rlpriors.wrappers.images.image_layout import split_layout
from rlpriors.wrappers.images.observation_tree import LeafPath, leaf_name, select_leaf
from rlpriors.wrappers.images.pixel_range import PixelRange

__all__ = ["ImageLeaf"]


class ImageLeaf(NamedTuple):
    """One image of an observation, or a stack of frames from the environment."""

    path: LeafPath
    """Keys that lead to the leaf; () if the observation is the image."""
    space: gym.spaces.Box
    """Space of the leaf."""
    layout: str
    """Letters of the axes, as in `image_layout`."""
    pixel_range: PixelRange
    """Declared range of the pixels."""

    @property
    def name(self) -> str:
        """Path of the leaf in `obs_keys`, such as "camera/left"; "" if the observation is the image."""
        return leaf_name(self.path)

    @property
    def quoted_name(self) -> str:
        """Name for error messages: a space and the quoted name; "" if the observation is the image."""
        return self.name and f" {self.name!r}"

    @property
    def pixels_name(self) -> str:
        """Key of the image next to its encoding if `keep_pixels` is set."""
        return f"{self.path[-1]}_pixels"

    @property
    def n_frames(self) -> int:
        """Number of frames in the leaf; 1 without frames in the layout."""
        return self._sizes.get("T", 1)

    @property
    def channels(self) -> int:
        """Number of channels of each frame, without alpha; 1 without channels in the layout."""
        return self._sizes.get("C", self._sizes.get("A", 2) - 1)

    @property
    def image_size(self) -> tuple[int, int]:
        """Height and width."""
        return self._sizes["H"], self._sizes["W"]

    @property
    def _sizes(self) -> dict[str, int]:
        return dict(zip(*split_layout(self.layout, self.space.shape), strict=True))

    def select(self, obs: Any) -> np.ndarray:
        """Return this leaf of an observation, or of a batch of observations."""
        leaf = select_leaf(obs, self.path)
        return leaf.detach().cpu().numpy() if hasattr(leaf, "detach") else np.asarray(leaf)

    def frames(self, batch: Shaped[Array, "batch ..."]) -> Shaped[Array, "batch time height width channels"]:
        """Return a batch of this leaf with ordered axes: uint8 in 0..255 or float32 in [0, 1].

        A tensor stays on its device.

        Raises:
            ValueError: shape, data type or values differ from the environment's space.
        """
        shape, dtype = tuple(batch.shape[1:]), dtype_name(batch)
        if shape != self.space.shape or dtype != str(self.space.dtype):
            raise ValueError(
                f"The observation{self.quoted_name} must match the environment's space, {self.space.dtype} "
                f"{self.space.shape}. Received {dtype} {shape}; correct the environment's "
                "`observation_space`."
            )
        letters, sizes = split_layout(self.layout, self.space.shape)
        pixels = self.pixel_range.convert(batch, f"The observation{self.quoted_name}")
        split = pixels.reshape(len(batch), *sizes)
        ordered = permute(split, [0, *(1 + letters.index(axis) for axis in "THWCA" if axis in letters)])
        if "T" not in letters:
            ordered = ordered[:, None]
        if "A" in letters:
            return ordered[..., :-1]
        return ordered if "C" in letters else ordered[..., None]
