"""Checks of recorded data, with errors that name the array, the episode and the step.

`as_numbers`            array of one of the stored number types
`as_flags`              array of booleans
`as_lengths`            array of numbers of steps
`check_finite`          no NaN and no infinity
`check_episode_arrays`  arrays that agree with the lengths of the episodes
`check_ends`            episodes that end at their last step only
`fit_to_space`          arrays of an episode in the shapes of their space
`check_indices`         indices within bounds
`check_at_least_one`    counts of at least 1
"""

from collections.abc import Mapping
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.arguments import as_number_array

__all__ = [
    "as_flags",
    "as_lengths",
    "as_numbers",
    "check_at_least_one",
    "check_ends",
    "check_episode_arrays",
    "check_finite",
    "check_indices",
    "fit_to_space",
]


def as_numbers(name: str, array: object, integers: type[np.generic] | None = None) -> np.ndarray:
    """Return `array` with floating-point numbers as float32 and others as `integers` (default: unchanged)."""
    numbers = as_number_array(name, array)
    to = np.float32 if numbers.dtype.kind == "f" else integers or numbers.dtype
    with np.errstate(over="ignore"):  # too large numbers become infinite, which check_finite reports
        return numbers.astype(to, copy=False)


def as_flags(name: str, array: object) -> np.ndarray:
    """Return `array` as booleans, from booleans or from numbers that are 0 or 1."""
    flags = as_number_array(name, array)
    if flags.dtype.kind == "b":
        return flags
    valid = np.isin(flags, (0, 1))
    if not valid.all():
        raise ValueError(
            f"`{name}` must hold booleans, or numbers that are 0 or 1. Received {flags[~valid].flat[0]}."
        )
    return flags.astype(np.bool_, copy=False)


def as_lengths(array: object) -> np.ndarray:
    """Return `array` as int64 numbers of steps."""
    lengths = as_number_array("lengths", array)
    if lengths.dtype.kind not in "iu":
        raise ValueError(
            f"`lengths` must hold integers, the numbers of steps. Received an array of {lengths.dtype}."
        )
    return lengths.astype(np.int64, copy=False)


def check_finite(name: str, array: np.ndarray, lengths: np.ndarray, first_episode: int = 0) -> None:
    """Raise an error for NaN or infinity in `array`, the rows of episodes of `lengths` rows."""
    if array.dtype.kind != "f":
        return
    with np.errstate(invalid="ignore"):
        total = array.sum(dtype=np.float64)
    if np.isfinite(total):  # NaN and infinity survive a sum: one pass without a copy
        return
    row = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(1)))
    episode = int(np.searchsorted(np.cumsum(lengths), row, side="right"))
    raise ValueError(
        f"`{name}` must be finite. Received {array[row].tolist()} at step {row - lengths[:episode].sum()} of "
        f"episode {first_episode + episode}; remove or repair this episode."
    )


def check_episode_arrays(
    obs: np.ndarray,
    act: np.ndarray,
    rew: np.ndarray,
    terminated: np.ndarray,
    truncated: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """Raise an error for arrays that disagree with `lengths` and for non-finite numbers.

    Empty episodes, and episodes that end before their last step, are errors too.
    """
    if lengths.ndim != 1 or not lengths.size:
        raise ValueError(f"`lengths` must have at least one episode. Received shape {lengths.shape}.")
    if lengths.min() < 1:
        raise ValueError(
            "`lengths` must be at least 1 for each episode. Received an empty episode, number "
            f"{lengths.argmin()} of {len(lengths)}; remove it."
        )
    if lengths.max() > np.iinfo(np.int64).max // (2 * len(lengths)):  # their sum may overflow
        raise ValueError(
            f"`lengths` must be numbers of steps. Received {lengths.max()}, number {lengths.argmax()} of "
            f"{len(lengths)}; it is damaged."
        )
    steps = int(lengths.sum())
    flat = {"rew": rew, "terminated": terminated, "truncated": truncated}
    for name, array in {"obs": obs, "act": act, **flat}.items():
        rows = steps + len(lengths) * (name == "obs")
        if array.shape[:1] != (rows,) or (name in flat and array.ndim > 1):
            reason = "; an episode of T steps has T + 1 observations, the last one after its last action"
            raise ValueError(
                f"`{name}` must have {rows} rows{' of one number' * (name in flat)} for {len(lengths)} "
                f"episodes of {steps} steps in total. Received shape {array.shape}{reason * (name == 'obs')}."
            )
    check_finite("obs", obs, lengths + 1)
    check_finite("act", act, lengths)
    check_finite("rew", rew, lengths)
    check_ends(terminated, truncated, lengths)


def check_ends(terminated: np.ndarray, truncated: np.ndarray, lengths: np.ndarray) -> None:
    """Raise an error for an episode that ends before its last step: windows would cross this end."""
    inside = terminated | truncated
    ends = np.cumsum(lengths)
    inside[ends - 1] = False
    if inside.any():
        step = int(inside.argmax())
        episode = int(np.searchsorted(ends, step, side="right"))
        name = "terminated" if terminated[step] else "truncated"
        raise ValueError(
            f"`{name}` must be True only at the last step of an episode. Received True at step "
            f"{step - ends[episode] + lengths[episode]} of episode {episode}, which has {lengths[episode]} "
            "steps; split it there, as `EpisodeStore.from_transitions` does for flat columns."
        )


def fit_to_space(name: str, tree: Any, space: gym.Space[Any], rows: int, episode: int) -> Any:
    """Return `tree` as arrays; each leaf must be finite and have the shape of its space."""
    if isinstance(space, gym.spaces.Dict):
        keys = sorted(tree) if isinstance(tree, Mapping) else f"a {type(tree).__name__}"
        if keys != sorted(space.spaces):
            raise ValueError(
                f"`{name}` must have the keys {sorted(space.spaces)} of its space. Received {keys} in "
                f"episode {episode}."
            )
        return {k: fit_to_space(f"{name}[{k!r}]", tree[k], s, rows, episode) for k, s in space.spaces.items()}
    if isinstance(tree, Mapping):
        raise ValueError(
            f"`{name}` must be an array, for the space {space}. Received a dict in episode {episode}."
        )
    array = np.asarray(tree)
    if array.shape != (rows, *(space.shape or ())):
        raise ValueError(
            f"`{name}` must have {rows} rows of shape {space.shape}, for the steps of the episode and the "
            f"space {space}. Received shape {array.shape} in episode {episode}."
        )
    check_finite(name, array, np.array([rows]), episode)
    return array


def check_indices(name: str, indices: object, bound: int, what: str) -> np.ndarray:
    """Return `indices` as int64, each in 0..bound-1; the error names the `bound` items by `what`."""
    indices = as_number_array(name, indices)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or not indices.size:
        raise ValueError(
            f"`{name}` must be a vector of at least one integer. Received {indices.dtype} of shape "
            f"{indices.shape}."
        )
    if indices.min() < 0 or indices.max() >= bound:
        raise ValueError(
            f"`{name}` must be in 0..{bound - 1}: there are {bound} {what}. Received "
            f"{indices.min()}..{indices.max()}."
        )
    return indices.astype(np.int64, copy=False)


def check_at_least_one(**values: int) -> None:
    """Raise an error for a count below 1, with its name."""
    for name, value in values.items():
        if value < 1:
            raise ValueError(f"`{name}` must be at least 1. Received {value}.")
