"""Flat columns of transitions, as D4RL files have, converted to whole episodes.

`split_transitions`  arrays of an `EpisodeStore` from the columns of its transitions
"""

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_flags, as_numbers

__all__ = ["split_transitions"]

_log = logging.getLogger(__name__)


def split_transitions(
    obs: Any,
    act: Any,
    rew: Any,
    terminated: Any,
    truncated: Any | None,
    next_obs: Any | None,
    obs_keys: Sequence[str] | None,
) -> dict[str, Any]:
    """Return the arrays and the layout for an `EpisodeStore` from one row per transition.

    An episode ends where `terminated` or `truncated` is True, and where `next_obs` is not the observation
    of the next row.  Without `next_obs`, the observation after the last step of an episode is unknown: this
    step is dropped, and the episode ends truncated in the observation before it.

    Args:
        obs: observations before each step (D4RL: "observations"), an array or a dictionary of arrays.
        act: actions ("actions").
        rew: rewards ("rewards").
        terminated: True where the environment ended an episode by its rules ("terminals").
        truncated: True where an episode was cut ("timeouts"); None for nowhere.
        next_obs: observations after each step ("next_observations"); None if the file has none.
        obs_keys: leaves of Dict observations (`select_observation`).

    Raises:
        ValueError: the columns have different lengths or shapes, or no step remains.

    Example:
        >>> from rlpriors.data import EpisodeStore
        >>> obs, terminated = np.array([[0.0], [1.0], [100.0]]), np.array([0, 1, 0])
        >>> EpisodeStore.from_transitions(obs, np.ones((3, 1)), np.zeros(3), terminated, None, obs + 1)
        EpisodeStore(2 episodes, 3 steps, obs (1,) float32, act (1,) float32)
    """
    layout = ObservationLayout.of(obs, obs_keys, batch_dims=1)
    before = as_numbers("obs", select_observation(obs, obs_keys, batch_dims=1))
    after = None
    if next_obs is not None:
        after = as_numbers("next_obs", select_observation(next_obs, obs_keys, batch_dims=1))
        if after.shape != before.shape:
            raise ValueError(
                f"`next_obs` must have the shape of `obs`, {before.shape}. Received {after.shape}."
            )
    if truncated is None:
        truncated = np.zeros(len(before), np.bool_)
    columns = {
        "act": as_numbers("act", act, integers=np.int64),
        "rew": as_numbers("rew", rew, integers=np.float32),
        "terminated": as_flags("terminated", terminated),
        "truncated": as_flags(
            "truncated", np.zeros(len(before), np.bool_) if truncated is None else truncated
        ),
    }
    for name, column in columns.items():
        if column.shape[:1] != before.shape[:1] or (name != "act" and column.ndim > 1):
            raise ValueError(
                f"`{name}` must have one row for each of the {len(before)} rows of `obs`"
                f"{'' if name == 'act' else ', of one number'}. Received shape {column.shape}."
            )
    if not len(before):
        raise ValueError("`obs` must hold at least one step. Received none.")
    done = columns["terminated"] | columns["truncated"]
    last = done.copy()
    last[-1] = True
    if after is None:
        return {**_without_next(before, columns, last), "obs_layout": layout}
    gaps = (after[:-1] != before[1:]).any(axis=tuple(range(1, before.ndim))) & ~last[:-1]
    last[:-1] |= gaps
    if gaps.any():
        _log.warning(
            "%d steps without an end have a `next_obs` other than the next `obs`: an episode ends there.",
            int(gaps.sum()),
        )
    number = np.cumsum(last) - last  # the episode of each step
    observations = np.empty((len(before) + last.sum(), *before.shape[1:]), before.dtype)
    steps = np.arange(len(before))
    observations[steps + number] = before
    observations[(steps + number + 1)[last]] = after[last]
    return {"obs": observations, **columns, "lengths": np.bincount(number), "obs_layout": layout}


def _without_next(before: np.ndarray, columns: dict[str, np.ndarray], last: np.ndarray) -> dict[str, Any]:
    """Drop the last step of each episode, whose next observation is unknown, and keep its observation."""
    number = np.cumsum(last) - last
    lengths = np.bincount(number) - 1
    _log.warning(
        "Without `next_obs`, the last step of each of the %d episodes is dropped (%d terminations and %d "
        "truncations), because the observation after it is unknown. Give `next_obs` if the file has it.",
        len(lengths),
        int(columns["terminated"].sum()),
        int(columns["truncated"].sum()),
    )
    if not lengths.any():
        raise ValueError(
            "`next_obs` must be given for episodes of one step. Received None, and no other steps remain."
        )
    keep = lengths[number] > 0  # an episode of one step leaves an observation and no step
    kept = {name: column[~last] for name, column in columns.items()}
    ends = np.cumsum(lengths[lengths > 0]) - 1
    kept["truncated"] = kept["truncated"].copy()
    kept["truncated"][ends] = True
    return {"obs": before[keep], **kept, "lengths": lengths[lengths > 0]}
