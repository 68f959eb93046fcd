"""Trees of observations: nested Dict and Tuple spaces, and the observations in them.

`LeafPath`     keys and indices that lead to a leaf
`leaf_name`    name of a leaf in `obs_keys`
`iter_leaves`  leaves of a space with their paths
`select_leaf`  one leaf of an observation
`set_leaves`   an observation, or its space, with some leaves replaced or added

A leaf is named by its path: `"pixels"`, `"camera/left"` in nested dictionaries, `"0"` in a Tuple or under
an integer key.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import gymnasium as gym

__all__ = ["LeafPath", "iter_leaves", "leaf_name", "select_leaf", "set_leaves"]

LeafPath = tuple[Any, ...]
"""Keys of a Dict (strings or integers) and indices of a Tuple; () for an observation that is no tree."""


def leaf_name(path: LeafPath) -> str:
    """Return the name of a leaf in `obs_keys`.

    Example:
        >>> leaf_name(("camera", 0))
        'camera/0'
    """
    return "/".join(map(str, path))


def iter_leaves(space: gym.Space[Any], path: LeafPath = ()) -> Iterator[tuple[LeafPath, gym.Space[Any]]]:
    """Iterate over the leaves of a space and their paths."""
    if isinstance(space, gym.spaces.Dict):
        for key, inner in space.items():
            yield from iter_leaves(inner, (*path, key))
    elif isinstance(space, gym.spaces.Tuple):
        for index, inner in enumerate(space.spaces):
            yield from iter_leaves(inner, (*path, index))
    else:
        yield path, space


def select_leaf(tree: Any, path: LeafPath) -> Any:
    """Return the leaf at this path of an observation."""
    for key in path:
        tree = tree[key]
    return tree


def set_leaves(tree: Any, leaves: Mapping[LeafPath, Any]) -> Any:
    """Return a copy of an observation or space with these leaves replaced, or added to a Dict.

    Example:
        >>> obs = {"camera": {"left": 1, "right": 2}, "speed": 3}
        >>> set_leaves(obs, {("camera", "left"): 10, ("camera", "top"): 0})
        {'camera': {'left': 10, 'right': 2, 'top': 0}, 'speed': 3}
        >>> set_leaves((1, 2), {(0,): 10})
        (10, 2)
    """
    is_sequence = isinstance(tree, tuple | list | gym.spaces.Tuple)
    result: dict[Any, Any] = dict(enumerate(tree) if is_sequence else tree.items())
    for key in dict.fromkeys(path[0] for path in leaves):
        inner = {path[1:]: leaf for path, leaf in leaves.items() if path[0] == key}
        result[key] = inner[()] if () in inner else set_leaves(tree[key], inner)
    if isinstance(tree, gym.spaces.Dict):
        return gym.spaces.Dict(result)
    if not is_sequence:
        return result
    items = tuple(result.values())
    return gym.spaces.Tuple(items) if isinstance(tree, gym.spaces.Tuple) else items
