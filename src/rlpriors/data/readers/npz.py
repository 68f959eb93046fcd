"""Episodes from numpy archives.

`read_npz`       `EpisodeStore` of a `.npz` file
`named_columns`  columns of a file by their common names
`COLUMN_NAMES`   accepted names of each column
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_lengths

__all__ = ["COLUMN_NAMES", "named_columns", "read_npz"]

COLUMN_NAMES = {
    "obs": ("obs", "observations", "observation"),
    "next_obs": ("next_obs", "next_observations", "obs_next"),
    "act": ("act", "actions", "action"),
    "rew": ("rew", "rewards", "reward"),
    "terminated": ("terminated", "terminals", "terminations"),
    "truncated": ("truncated", "timeouts", "truncations"),
}
"""Accepted names of each column; the names of D4RL and Minari are among them."""


def read_npz(
    path: str | Path, obs_keys: Sequence[str] | None = None, action_space: gym.Space[Any] | None = None
) -> EpisodeStore:
    """Return the episodes of a `.npz` file; nothing is unpickled.

    The file has the arrays `obs` and `act`, and optionally `rew`, `terminated` and `truncated`, in one of
    three forms.  Rewards are 0 and flags False where the file has none.

    - Episodes end to end: `lengths` [episodes] is the number of steps T of each episode.  `obs` has the T + 1
      observations of each episode, `act` its T actions.  `terminated` and `truncated` have one entry per step
      or per episode.
    - Episodes of one length: `obs` [episodes, T + 1, size, ...] and `act` [episodes, T, size], or
      [episodes, T] for Discrete actions.
    - Flat columns: one row per step in `obs`, `next_obs`, `act`, `terminated` and `truncated`
      (`EpisodeStore.from_transitions`).

    Each leaf of a Dict observation is an array of its own, `obs/<leaf>`, such as `obs/position`.

    Args:
        path: the file.
        obs_keys: leaves of Dict observations, in order; None for all leaves, sorted.
        action_space: action space of the environment, which actions are checked against.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, contains pickled objects, lacks an array, or its arrays disagree.

    Example:
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp()) / "demos.npz"
        >>> np.savez(file, obs=np.zeros((7, 3)), act=np.zeros((5, 1)), lengths=[2, 3])
        >>> read_npz(file)
        EpisodeStore(2 episodes, 5 steps, obs (3,) float32, act (1,) float32)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give the path of a .npz file.")
    try:
        with np.load(path, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
    except (BadZipFile, OSError, EOFError, ValueError) as error:
        # NumPy takes any other file for a pickle, and advises to load it.
        found = "pickled objects or another kind of file" if "pickle" in str(error) else error
        raise ValueError(
            f"{path} must be a file of np.savez with numeric arrays. Received {found}; write it again with "
            "arrays of numbers only."
        ) from error
    columns = named_columns(arrays, path)
    try:
        return _store(columns, arrays.get("lengths"), obs_keys, action_space)
    except ValueError as error:
        raise ValueError(f"{path} must hold valid episodes. {error}") from error


def named_columns(arrays: Mapping[str, Any], path: str | Path) -> dict[str, Any]:
    """Return the columns of a file by the names of `COLUMN_NAMES`; leaves of Dict observations are nested.

    Raises:
        ValueError: observations or actions are missing.
    """
    columns: dict[str, Any] = {}
    for column, names in COLUMN_NAMES.items():
        for name in names:
            leaves = {
                key[len(name) + 1 :]: array for key, array in arrays.items() if key.startswith(f"{name}/")
            }
            if name in arrays or leaves:
                columns[column] = arrays.get(name, leaves)
                break
    missing = [name for name in ("obs", "act") if name not in columns]
    if missing:
        raise ValueError(
            f"{path} must have the arrays `obs` (or `obs/<leaf>` for each leaf of a Dict observation) and "
            f"`act`. Received {sorted(arrays)}, without {' and '.join(missing)}."
        )
    return columns


def _store(
    columns: dict[str, Any],
    lengths: np.ndarray | None,
    obs_keys: Sequence[str] | None,
    action_space: gym.Space[Any] | None,
) -> EpisodeStore:
    act = np.asarray(columns["act"])
    if "next_obs" not in columns and lengths is None:
        if not _is_padded(columns):
            obs = select_observation(columns["obs"], obs_keys, batch_dims=1)
            raise ValueError(
                "Without `lengths` and `next_obs`, `obs` must be [episodes, T + 1, ...] and `act` "
                f"[episodes, T, ...]. Received shapes {obs.shape} and {act.shape}; add `lengths`, the number "
                "of steps of each episode, or `next_obs`, the observation after each step."
            )
        flat = {name: _flatten(column) for name, column in columns.items()}
        return _end_to_end(flat, np.full(act.shape[0], act.shape[1]), obs_keys, action_space)
    if lengths is not None:
        return _end_to_end(columns, np.asarray(lengths), obs_keys, action_space)
    n = len(act)
    zeros = np.zeros(n, np.bool_)
    rest = {"rew": zeros.astype(np.float32), "terminated": zeros, "truncated": zeros, **columns}
    return EpisodeStore.from_transitions(**rest, obs_keys=obs_keys, action_space=action_space)


def _end_to_end(
    columns: Mapping[str, Any],
    lengths: np.ndarray,
    obs_keys: Sequence[str] | None,
    action_space: gym.Space[Any] | None,
) -> EpisodeStore:
    lengths = as_lengths(lengths)
    n_steps = int(lengths.sum())
    if n_steps != len(columns["act"]):
        raise ValueError(
            f"`lengths` must add up to the {len(columns['act'])} steps of `act`. Received a sum of "
            f"{n_steps}; each is the number of actions of each episode, not of observations."
        )
    flags = {name: _per_step(columns.get(name), lengths, n_steps) for name in ("terminated", "truncated")}
    return EpisodeStore(
        obs=select_observation(columns["obs"], obs_keys, batch_dims=1),
        act=columns["act"],
        rew=columns.get("rew", np.zeros(n_steps, np.float32)),
        **flags,
        lengths=lengths,
        obs_layout=ObservationLayout.of(columns["obs"], obs_keys, batch_dims=1),
        action_space=action_space,
    )


def _per_step(flags: Any | None, lengths: np.ndarray, n_steps: int) -> Any:
    """Return flags with one entry per step; one entry per episode belongs to its last step."""
    if flags is None:
        return np.zeros(n_steps, np.bool_)
    flags = np.asarray(flags)
    if flags.shape == lengths.shape and len(lengths) != n_steps:
        ends = np.zeros(n_steps, flags.dtype)
        ends[np.cumsum(lengths) - 1] = flags
        return ends
    return flags


def _is_padded(columns: Mapping[str, Any]) -> bool:
    """Return True for arrays [episodes, T + 1, ...] and [episodes, T, ...].

    Two dimensions of fractional actions, or of observations, are one row per step: a vector of 2 entries and
    3 observed numbers have the sizes of an episode of 2 steps, too.
    """
    act, obs = np.asarray(columns["act"]), columns["obs"]
    shapes = [np.shape(leaf) for leaf in (obs.values() if isinstance(obs, Mapping) else [obs])]
    may_be_rows = act.ndim < 2 or (act.ndim == 2 and act.dtype.kind == "f")
    if may_be_rows or any(len(shape) < 3 for shape in shapes):
        return False
    return all(shape[:2] == (act.shape[0], act.shape[1] + 1) for shape in shapes)


def _flatten(column: Any) -> Any:
    """Join the first two dimensions; flags and rewards [episodes] are unchanged."""
    if isinstance(column, Mapping):
        return {name: _flatten(leaf) for name, leaf in column.items()}
    array = np.asarray(column)
    return array if array.ndim < 2 else array.reshape(-1, *array.shape[2:])
