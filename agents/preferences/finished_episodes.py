"""Episodes of an agent, as they end in a replay buffer.

`FinishedEpisode`    rows of an episode in the buffer, and its segment
`FinishedEpisodes`   tracker of the episodes that ended since the last look
`make_clip`          segment of an episode's steps
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float, Int
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, ReplayBuffer

from rlpriors.agents.exploration.new_rows import NewRows
from rlpriors.data.observations import select_observation
from rlpriors.preferences.clips import Clip, as_frames

__all__ = ["FinishedEpisode", "FinishedEpisodes", "make_clip"]


class FinishedEpisode(NamedTuple):
    """Rows of an episode in the buffer, and its segment."""

    rows: Int[np.ndarray, " steps"]
    """Rows of the buffer, in the order of the steps."""
    clip: Clip
    """Segment with the environment's actions and rewards."""


class FinishedEpisodes:
    """Tracker of the episodes that ended in a replay buffer since the last call of `take`.

    It remembers the environment's rewards of a step from the first call after the step, so that the buffer's
    rewards may be overwritten afterwards.  An episode that is cut by a reset of the collector is dropped.

    Args:
        policy: policy whose collector fills the buffer, for the units of actions.
        obs_keys: leaves of a Dict observation that the segments contain; None for all.

    Example:
        >>> from rlpriors.agents import RandomPolicy
        >>> import gymnasium as gym
        >>> buffer, tracker = ReplayBuffer(9), FinishedEpisodes(RandomPolicy(gym.spaces.Discrete(2)))
        >>> for x in (0.0, 1.0, 2.0):
        ...     step = Batch(obs=x, act=1, rew=x, obs_next=x + 1, terminated=x == 1, truncated=False)
        ...     _ = buffer.add(step)
        >>> episodes, unfinished = tracker.take(buffer)
        >>> episodes[0].rows, episodes[0].clip.rew, episodes[0].clip.obs, unfinished
        (array([0, 1]), array([0., 1.]), array([0., 1., 2.]), array([2]))
    """

    def __init__(self, policy: Policy, obs_keys: Sequence[str] | None = None) -> None:
        self.policy, self.obs_keys = policy, obs_keys
        self._new = NewRows()
        self._open: dict[int, list[tuple[int, float]]] = {}
        self._is_first = True

    def skip(self) -> None:
        """Treat all steps of the next buffer as known, as after resuming."""
        self._new, self._open, self._is_first = NewRows(), {}, False

    def take(self, buffer: ReplayBuffer) -> tuple[list[FinishedEpisode], Int[np.ndarray, " rows"]]:
        """Return the new episodes, and the new rows of episodes that have not ended.

        The steps of a second buffer are known: they were in the first one.
        """
        is_known = not self._is_first and not self._new.is_tracking(buffer)
        self._is_first = False
        rows = self._new.take(buffer)
        if is_known:
            self._open = {}
            return [], rows[:0]
        parts = np.searchsorted(buffer.subbuffer_edges, rows, side="right") - 1
        finished = []
        for row, part in zip(rows.tolist(), parts.tolist(), strict=True):
            steps = self._open.setdefault(part, [])
            if steps and not _follows(buffer, steps[-1][0], row):
                steps.clear()
            steps.append((row, float(buffer.rew[row])))
            if buffer.done[row]:
                finished.append(self._finish(buffer, steps))
                self._open[part] = []
        still_open = [row for steps in self._open.values() for row, _ in steps]
        return finished, np.intersect1d(rows, np.array(still_open, np.int64))

    def _finish(self, buffer: ReplayBuffer, steps: list[tuple[int, float]]) -> FinishedEpisode:
        rows = np.array([row for row, _ in steps])
        rew = np.array([reward for _, reward in steps])
        return FinishedEpisode(rows, make_clip(buffer[rows], rew, self.policy, self.obs_keys))


def make_clip(
    batch: Any, rew: Float[np.ndarray, " steps"], policy: Policy, obs_keys: Sequence[str] | None = None
) -> Clip:
    """Return the segment of consecutive steps, with actions in the environment's units."""
    obs, last = (_array(part, obs_keys) for part in (batch.obs, batch.obs_next[-1:]))
    all_obs = np.concatenate([obs, last])
    act = np.array(policy.map_action(batch.act))
    terminated = np.array(batch.terminated, bool)
    for array in (all_obs, act, rew, terminated):
        array.flags.writeable = False
    return Clip(all_obs, act, rew, terminated, as_frames(all_obs))


def _array(part: Any, keys: Sequence[str] | None) -> np.ndarray:
    return select_observation(part.to_dict(), keys, batch_dims=1) if isinstance(part, Batch) else part


def _follows(buffer: ReplayBuffer, row: int, following: int) -> bool:
    after: Any = buffer.get(row, "obs_next")
    obs: Any = buffer.get(following, "obs")
    if isinstance(obs, Batch):
        return all(np.array_equal(after[key], obs[key]) for key in obs.get_keys())
    return bool(np.array_equal(after, obs))
