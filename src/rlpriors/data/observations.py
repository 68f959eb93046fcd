"""One array from a plain or Dict observation.

`select_observation`  selected leaves of an observation in one array
`observation_shape`   shape of this array for one observation of a space
`leaf_shapes`         shapes of the selected leaves, in order
`select_leaves`       the selected leaves themselves, arrays or tensors, in order

A leaf is named by its path: `"velocity"`, or `"agent/velocity"` in nested dictionaries.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.arguments import as_number_array

__all__ = ["leaf_shapes", "observation_shape", "select_leaves", "select_observation"]


def select_observation(obs: Any, keys: Sequence[str] | None = None, batch_dims: int = 0) -> np.ndarray:
    """Return the leaves of `obs` named by `keys` in one array.

    A plain array is returned unchanged.  A single leaf of a dictionary keeps its shape.  Several leaves are
    flattened after the first `batch_dims` dimensions (which they share) and concatenated along the last axis,
    in the order of `keys`.  Without `keys`, all leaves are used, sorted by path.

    Raises:
        ValueError: a key is not the path of a leaf, keys are given for a plain array, a leaf holds anything
            else than numbers, or the first dimensions of the leaves differ.

    Example:
        >>> obs = {"agent": {"xy": np.array([1.0, 2.0])}, "goal": np.array([3.0, 4.0])}
        >>> select_observation(obs, ["goal", "agent/xy"])
        array([3., 4., 1., 2.])
    """
    selected = [as_number_array("obs", leaf) for leaf in select_leaves(obs, keys)]
    if len(selected) == 1:
        return selected[0]
    leads = {leaf.shape[:batch_dims] for leaf in selected}
    if len(leads) > 1 or min(leaf.ndim for leaf in selected) < batch_dims:
        shapes = dict(leaf_shapes(obs, keys))
        raise ValueError(
            f"`obs` must have leaves that share their first {batch_dims} dimensions (`batch_dims`). Received "
            f"shapes {shapes}."
        )
    lead = leads.pop()
    return np.concatenate([leaf.reshape(*lead, -1) for leaf in selected], axis=-1)


def select_leaves(obs: Any, keys: Sequence[str] | None = None) -> list[Any]:
    """Return the leaves of `obs` named by `keys`, unchanged and in order; a plain array is the only leaf.

    Raises:
        ValueError: as `select_observation`.

    Example:
        >>> select_leaves({"agent": {"xy": 1}, "goal": 2}, ["goal", "agent/xy"])
        [2, 1]
    """
    if not isinstance(obs, Mapping):
        _refuse_keys(keys, "a plain array")
        return [obs]
    leaves = _leaves(obs)
    return [leaves[key] for key in _resolve(keys, list(leaves))]


def observation_shape(space: gym.Space[Any], keys: Sequence[str] | None = None) -> tuple[int, ...]:
    """Return the shape of the array of `select_observation` for one observation of `space`.

    Raises:
        ValueError: see `select_observation`, or a leaf of the space is not an array of fixed shape
            (Tuple, Text, Graph, Sequence).

    Example:
        >>> space = gym.spaces.Dict({"xy": gym.spaces.Box(-1, 1, (2,)), "rays": gym.spaces.Box(0, 1, (3, 4))})
        >>> observation_shape(space), observation_shape(space, ["rays"])
        ((14,), (3, 4))
    """
    if not isinstance(space, gym.spaces.Dict):
        _refuse_keys(keys, f"a {type(space).__name__} space")
        return _leaf_shape(space)
    leaves = _leaves(space)
    shapes = [_leaf_shape(leaves[key]) for key in _resolve(keys, list(leaves))]
    return shapes[0] if len(shapes) == 1 else (sum(prod(shape) for shape in shapes),)


def leaf_shapes(
    obs: Any, keys: Sequence[str] | None = None, batch_dims: int = 0
) -> list[tuple[str, tuple[int, ...]]]:
    """Return path and shape of each leaf that `select_observation` takes, in its order.

    `obs` is a Dict observation, whose first `batch_dims` dimensions are left out, or a Dict space.

    Example:
        >>> leaf_shapes({"xy": np.zeros((9, 2)), "goal": np.zeros((9, 3))}, batch_dims=1)
        [('goal', (3,)), ('xy', (2,))]
    """
    leaves = _leaves(obs)
    selected = [(key, leaves[key]) for key in _resolve(keys, list(leaves))]
    return [
        (key, _leaf_shape(leaf) if isinstance(leaf, gym.Space) else np.shape(leaf)[batch_dims:])
        for key, leaf in selected
    ]


def _leaves(tree: Mapping[Any, Any]) -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for path, leaf in _iter_leaves(tree, ""):
        if path in leaves:
            raise ValueError(
                f"Leaves of an observation must have distinct names. Received two leaves {path!r}, since a "
                'key contains "/" or is an integer next to the same string; rename that key.'
            )
        leaves[path] = leaf
    return leaves


def _iter_leaves(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, leaf in tree.items():
        if isinstance(leaf, Mapping):
            yield from _iter_leaves(leaf, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", leaf


def _resolve(keys: Sequence[str] | None, available: list[str]) -> list[str]:
    if isinstance(keys, str):
        raise TypeError(f'`keys` must be a sequence of names, such as ["{keys}"]. Received {keys!r}.')
    if keys is None:
        keys = sorted(available)
    if not isinstance(keys, Iterable):
        raise TypeError(f"`keys` must be a sequence of names. Received {keys!r}.")
    keys = list(keys)
    unknown = [key for key in keys if key not in available]
    if unknown or not keys:
        raise ValueError(f"`keys` must name leaves of the observation: {sorted(available)}. Received {keys}.")
    return keys


def _refuse_keys(keys: Sequence[str] | None, kind: str) -> None:
    if keys is not None:
        raise ValueError(
            f"`keys` must be None unless the observation is a Dict; it is {kind}. Received {keys!r}."
        )


def _leaf_shape(space: gym.Space[Any]) -> tuple[int, ...]:
    fixed = (gym.spaces.Box, gym.spaces.Discrete, gym.spaces.MultiDiscrete, gym.spaces.MultiBinary)
    if not isinstance(space, fixed) or space.shape is None:
        raise ValueError(
            "`space` of observations must be Box, Discrete, MultiDiscrete or MultiBinary, or a (nested) "
            f"Dict of these. Received {space}; wrap the environment, for example in FlattenObservation."
        )
    return tuple(space.shape)
