"""Layout of flat observations: the leaves of a Dict observation in the order of an array's entries.

`ObservationLayout`  names and shapes of the leaves, in order
`check_layouts`      check that data and their reader have the same leaves in the same order
`check_reward`       check that a reward reads the observations of a data set
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import gymnasium as gym

from rlpriors.data.observations import leaf_shapes

__all__ = ["ObservationLayout", "check_layouts", "check_reward"]

Shapes = tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class ObservationLayout:
    """Leaves of a Dict observation that an array consists of, in the order of its entries.

    Data, rewards, trajectory layouts and policies record it.  Plain observations and files written by
    earlier versions have none: their layout is unknown (None) and agrees with any other.

    Example:
        >>> space = gym.spaces.Dict(xy=gym.spaces.Box(-1, 1, (2,)), goal=gym.spaces.Box(-1, 1, (2,)))
        >>> print(ObservationLayout.of(space), "|", ObservationLayout.of(space, ["xy", "goal"]))
        ('goal' (2,), 'xy' (2,)) | ('xy' (2,), 'goal' (2,))
    """

    keys: tuple[str, ...]
    """Paths of the leaves, as in `select_observation`."""

    shapes: Shapes | None = None
    """Shape of each leaf for one observation; None if unknown."""

    def __post_init__(self) -> None:
        if not self.keys or (self.shapes is not None and len(self.shapes) != len(self.keys)):
            raise ValueError(
                "`keys` must name at least one leaf, and `shapes` must hold one shape for each. Received "
                f"{self.keys} and {self.shapes}."
            )

    @classmethod
    def of(
        cls, obs: Any, keys: Sequence[str] | None = None, batch_dims: int = 0
    ) -> "ObservationLayout | None":
        """Return the layout of what `select_observation` takes from an observation or a space.

        It is None for a plain observation.
        """
        if not isinstance(obs, Mapping | gym.spaces.Dict):
            return None
        leaves = leaf_shapes(obs, keys, batch_dims)
        return cls(tuple(key for key, _ in leaves), tuple(shape for _, shape in leaves))

    @classmethod
    def from_json(cls, content: Mapping[str, Any] | None) -> "ObservationLayout | None":
        """Return the layout that `to_json` converted; None for None."""
        if content is None:
            return None
        shapes = content["shapes"]
        sizes = None if shapes is None else tuple(tuple(int(size) for size in shape) for shape in shapes)
        return cls(tuple(str(key) for key in content["keys"]), sizes)

    def to_json(self) -> dict[str, Any]:
        """Return the layout as plain data."""
        shapes = None if self.shapes is None else [list(shape) for shape in self.shapes]
        return {"keys": list(self.keys), "shapes": shapes}

    def check_shape(self, name: str, shape: tuple[int, ...]) -> None:
        """Check that one observation of an array has the shape of these leaves.

        Raises:
            ValueError: the shape is another one.
        """
        if self.shapes is None:
            return
        expected = self.shapes[0] if len(self.shapes) == 1 else (sum(map(prod, self.shapes)),)
        if shape != expected:
            raise ValueError(
                f"`{name}` must have observations of shape {expected}, for the leaves {self}. Received "
                f"{shape}; set `obs_layout` to the leaves of these observations, or to None."
            )

    def agrees_with(self, other: "ObservationLayout | None") -> bool:
        """Return True unless both layouts are known and differ in leaves, order or shapes."""
        if other is None:
            return True
        same_shapes = self.shapes is None or other.shapes is None or self.shapes == other.shapes
        return self.keys == other.keys and same_shapes

    def __str__(self) -> str:
        """Return the leaves in order, with their shapes if known."""
        shapes = [""] * len(self.keys) if self.shapes is None else [f" {shape}" for shape in self.shapes]
        leaves = ", ".join(f"{key!r}{shape}" for key, shape in zip(self.keys, shapes, strict=True))
        return f"({leaves})"


def check_layouts(
    reader: str, expected: ObservationLayout | None, source: str, received: ObservationLayout | None
) -> ObservationLayout | None:
    """Check that a reader and its data agree, and return the layout that is known.

    Args:
        reader: name of the reader, for the error message.
        expected: layout that it reads.
        source: name of the data, for the error message.
        received: layout of the data.

    Raises:
        ValueError: both layouts are known and differ.
    """
    if expected is None or received is None:
        return received if expected is None else expected
    if not expected.agrees_with(received):
        raise ValueError(
            f"{reader} must receive the observation leaves {expected}, in this order. Received {received} "
            f"from {source}; load it with `obs_keys={list(expected.keys)}`."
        )
    return expected if expected.shapes is not None else received


def check_reward(reward: object, layout: ObservationLayout | None, shape: tuple[int, ...]) -> None:
    """Check that a reward reads a data set's observations, which have this layout and shape.

    Functions, which record neither leaves nor a size, are not checked.

    Raises:
        ValueError: the reward reads other leaves, another order or another number of entries.
    """
    check_layouts("`reward`", getattr(reward, "obs_layout", None), "the data", layout)
    expected = getattr(reward, "obs_shape", None)
    if isinstance(expected, tuple) and (shape or (1,)) != expected:
        raise ValueError(
            f"`reward` must read the data's observations. Received a {type(reward).__name__} for shape "
            f"{expected} and observations of shape {shape}; select leaves by `obs_keys`, or flatten by "
            "`replace(data, obs=data.obs.reshape(len(data.obs), -1), obs_layout=None)`."
        )
