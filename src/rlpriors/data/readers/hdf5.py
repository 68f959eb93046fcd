"""Episodes from HDF5 files in the layout of D4RL.

`read_d4rl`   `EpisodeStore` of a file with the data sets "observations", "actions", ...
`open_hdf5`   an HDF5 file, with errors that name the file
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.readers.npz import named_columns
from rlpriors.extras import missing_extra

__all__ = ["open_hdf5", "read_d4rl"]


def read_d4rl(
    path: str | Path, obs_keys: Sequence[str] | None = None, action_space: gym.Space[Any] | None = None
) -> EpisodeStore:
    """Return the episodes of an HDF5 file in D4RL's layout.

    The file has one row per step in "observations" and "actions", and optionally in "rewards", "terminals",
    "timeouts" and "next_observations".  A Dict observation is a group of data sets.  Without
    "next_observations" the last step of each episode is dropped (`split_transitions`).

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or its data sets disagree.
        ImportError: h5py is not installed.
    """
    with open_hdf5(path) as file:
        arrays = {name: np.asarray(data) for name, data in _data_sets(file, "")}
    columns = named_columns(arrays, path)
    zeros = np.zeros(len(columns["act"]), np.bool_)
    rest = {"rew": zeros.astype(np.float32), "terminated": zeros, **columns}
    try:
        return EpisodeStore.from_transitions(**rest, obs_keys=obs_keys, action_space=action_space)
    except ValueError as error:
        raise ValueError(f"{path} must hold valid episodes. {error}") from error


@contextmanager
def open_hdf5(path: str | Path) -> Iterator[Any]:
    """Open an HDF5 file for reading.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged.
        ImportError: h5py is not installed.
    """
    try:
        import h5py
    except ImportError as error:
        raise ImportError(missing_extra("HDF5 files need h5py", "offline")) from error
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give the path of an HDF5 file.")
    try:
        file = h5py.File(path, "r")
    except OSError as error:
        raise ValueError(f"{path} must be an HDF5 file. Received {error}; write or copy it again.") from error
    with file:
        yield file


def _data_sets(group: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Yield path and content of the numeric data sets of a group, except metadata."""
    for name, item in group.items():
        if prefix == "" and name in ("infos", "metadata"):
            continue
        if hasattr(item, "items"):
            yield from _data_sets(item, f"{prefix}{name}/")
        elif item.dtype.kind in "biuf":
            yield f"{prefix}{name}", item[()]
