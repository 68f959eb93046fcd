"""One array out of an observation, whatever its space.

`select_observation`  the leaves of a dictionary observation that are wanted, side by side
`observation_shape`   the shape of what `select_observation` gives for one observation of a space

A leaf is named by its path: `"velocity"`, or `"agent/velocity"` in nested dictionaries.
"""

from collections.abc import Iterator, Mapping, Sequence
from math import prod
from typing import Any

import gymnasium as gym
import numpy as np

__all__ = ["observation_shape", "select_observation"]


def select_observation(obs: Any, keys: Sequence[str] | None = None, batch_dims: int = 0) -> np.ndarray:
    """Pick the leaves named by `keys` and put them into one array.

    A plain array comes back as it is.  Of a dictionary, one leaf keeps its shape; several are each
    flattened behind the first `batch_dims` dimensions (which they share) and joined along the
    last axis, in the order of `keys`.  Without `keys` these are all leaves, sorted by path.

    Raises:
        ValueError: a key names no leaf, keys are given for a plain array, or the leaves' first
            dimensions differ.

    Example:
        >>> obs = {"agent": {"xy": np.array([1.0, 2.0])}, "goal": np.array([3.0, 4.0])}
        >>> select_observation(obs, ["goal", "agent/xy"])
        array([3., 4., 1., 2.])
    """
    if not isinstance(obs, Mapping):
        _refuse_keys(keys, "a plain array")
        return np.asarray(obs)
    leaves = {path: np.asarray(leaf) for path, leaf in _leaves(obs)}
    chosen = [leaves[key] for key in _resolve(keys, list(leaves))]
    if len(chosen) == 1:
        return chosen[0]
    leads = {leaf.shape[:batch_dims] for leaf in chosen}
    if len(leads) > 1 or min(leaf.ndim for leaf in chosen) < batch_dims:
        shapes = {path: leaf.shape for path, leaf in leaves.items()}
        raise ValueError(
            f"The leaves of `obs` must share their first {batch_dims} dimensions (`batch_dims`) to be "
            f"joined. Received shapes {shapes}."
        )
    lead = leads.pop()
    return np.concatenate([leaf.reshape(*lead, -1) for leaf in chosen], axis=-1)


def observation_shape(space: gym.Space[Any], keys: Sequence[str] | None = None) -> tuple[int, ...]:
    """The shape that `select_observation` gives for one observation of `space`.

    Raises:
        ValueError: as `select_observation`, or a leaf of the space holds no array of fixed shape
            (Tuple, Text, Graph, Sequence).

    Example:
        >>> space = gym.spaces.Dict({"xy": gym.spaces.Box(-1, 1, (2,)), "rays": gym.spaces.Box(0, 1, (3, 4))})
        >>> observation_shape(space), observation_shape(space, ["rays"])
        ((14,), (3, 4))
    """
    if not isinstance(space, gym.spaces.Dict):
        _refuse_keys(keys, f"a {type(space).__name__} space")
        return _leaf_shape(space)
    leaves = dict(_leaves(space))
    shapes = [_leaf_shape(leaves[key]) for key in _resolve(keys, list(leaves))]
    return shapes[0] if len(shapes) == 1 else (sum(prod(shape) for shape in shapes),)


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, leaf in tree.items():
        if isinstance(leaf, Mapping):
            yield from _leaves(leaf, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", leaf


def _resolve(keys: Sequence[str] | None, available: list[str]) -> list[str]:
    if isinstance(keys, str):
        raise TypeError(f'`keys` must be a sequence of names, such as ["{keys}"]. Received {keys!r}.')
    if keys is None:
        keys = sorted(available)
    unknown = [key for key in keys if key not in available]
    if unknown or not keys:
        raise ValueError(
            f"`keys` must name leaves of the observation: {sorted(available)}. Received {list(keys)}."
        )
    return list(keys)


def _refuse_keys(keys: Sequence[str] | None, what: str) -> None:
    if keys is not None:
        raise ValueError(
            f"`keys` selects from dictionary observations, but this one is {what}. Received "
            f"{keys!r}; leave `keys` out."
        )


def _leaf_shape(space: gym.Space[Any]) -> tuple[int, ...]:
    fixed = (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)
    if not isinstance(space, fixed) or space.shape is None:
        raise ValueError(
            "Observations must be Box, Discrete, MultiDiscrete or MultiBinary, or a (nested) Dict of "
            f"these. Received {space}; wrap the environment, for example in FlattenObservation."
        )
    return tuple(space.shape)
