"""Episodes from replay buffers that Tianshou saved as HDF5.

`read_tianshou`  `EpisodeStore` of a file of `ReplayBuffer.save_hdf5`
`is_tianshou`    True for such a file

Tianshou's own `load_hdf5` unpickles parts of the file.  This reader takes the numeric arrays and the
positions of the oldest steps, which are plain numbers, and never unpickles.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.readers.hdf5 import open_hdf5

__all__ = ["is_tianshou", "read_tianshou"]

_PARTS = "_meta"


def is_tianshou(path: str | Path) -> bool:
    """Return True for an HDF5 file of `ReplayBuffer.save_hdf5`."""
    with open_hdf5(path) as file:
        return _PARTS in file and "last_index" in file


def read_tianshou(
    path: str | Path, obs_keys: Sequence[str] | None = None, action_space: gym.Space[Any] | None = None
) -> EpisodeStore:
    """Return the steps of a saved replay buffer, oldest first, as episodes.

    Collectors store actions in units of their policy.  These equal the environment's units for integer
    actions and for Box(-1, 1); other spaces are refused.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, the buffer is empty, stacks frames or does not store `obs_next`, or
            the units of its actions are ambiguous.
    """
    with open_hdf5(path) as file:
        if file.attrs.get("stack_num", 1) > 1 or not file.attrs.get("_save_obs_next", True):
            raise ValueError(
                f"{path} must be a buffer with `obs_next` and single frames. Received stack_num="
                f"{file.attrs.get('stack_num')} and ignore_obs_next="
                f"{not file.attrs.get('_save_obs_next')}; stack frames in the environment."
            )
        rows, subbuffer = _order(file)
        if not len(rows):
            raise ValueError(f"{path} must hold at least one step. Received an empty buffer.")
        parts = file[_PARTS]
        names = ("obs", "act", "rew", "terminated", "truncated", "obs_next")
        missing = [name for name in names if name not in parts]
        if missing:
            raise ValueError(f"{path} must hold the columns {names}. Received none for {missing}.")
        columns = {name: _rows(parts[name], rows) for name in names}
    act = columns["act"]
    _check_units(path, act, action_space)
    truncated = np.array(columns["truncated"], np.bool_)
    last = np.append(subbuffer[1:] != subbuffer[:-1], True)  # the end of a sub-buffer cuts an episode
    truncated |= last & ~np.asarray(columns["terminated"], np.bool_)
    return EpisodeStore.from_transitions(
        columns["obs"],
        act,
        columns["rew"],
        columns["terminated"],
        truncated,
        columns["obs_next"],
        obs_keys=obs_keys,
        action_space=action_space,
    )


def _order(file: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of all steps, oldest first in each sub-buffer, and the sub-buffer of each."""
    if "_extend_offset" in file:
        edges, lengths = file["_extend_offset"][()], file["_lengths"][()]
    else:
        edges, lengths = np.array([0, file.attrs["maxsize"]]), np.array([file.attrs["_size"]])
    last = file["last_index"][()]
    indices = []
    for number, length in enumerate(lengths):
        first, size = edges[number], edges[number + 1] - edges[number]
        oldest = last[number] + 1 - first if length == size else 0
        indices.append(first + (oldest + np.arange(length)) % size)
    return np.concatenate(indices), np.repeat(np.arange(len(lengths)), lengths)


def _rows(item: Any, rows: np.ndarray) -> Any:
    """Return rows of a data set, or of each data set of a group."""
    if hasattr(item, "items"):
        return {name: _rows(part, rows) for name, part in item.items()}
    return np.asarray(item)[rows]


def _check_units(path: str | Path, act: np.ndarray, space: gym.Space[Any] | None) -> None:
    if act.dtype.kind != "f":
        return
    unit = isinstance(space, gym.spaces.Box) and bool((space.low == -1).all() and (space.high == 1).all())
    if not unit:
        raise ValueError(
            f"{path} must have integer actions or actions of Box(-1, 1): collectors store actions in units "
            f"of their policy. Received actions of {space}; convert it once in Python by "
            "`from_buffer(buffer, policy=policy).save(path)` of rlpriors.data.buffers, and give that file."
        )
