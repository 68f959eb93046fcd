"""Episode statistics with the environment's return next to the return that the agent receives.

`RecordEpisodeReturns`  wrapper of Tianshou's vector environments that records both returns
`EpisodeRecord`         both returns and the length of an episode
`EpisodeMonitor`        protocol of an object that measures visited states
`EnvReturnStats`        Tianshou's collection statistics with the environment's return
"""

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from tianshou.data import CollectStats, SequenceSummaryStats
from tianshou.env import BaseVectorEnv

from rlpriors.wrappers.tianshou.vector_env import WrappedSpacesEnv

__all__ = ["EnvReturnStats", "EpisodeMonitor", "EpisodeRecord", "RecordEpisodeReturns"]


@runtime_checkable
class EpisodeMonitor(Protocol):
    """Object that measures the distance of visited states, and receives each finished episode."""

    def distance(self, obs: np.ndarray, /) -> np.ndarray:
        """Return the distance of each observation."""
        ...

    def add(self, learned_return: float, distance: float) -> None:
        """Receive the learned return of an episode, and the mean distance of its observations."""


class EpisodeRecord(NamedTuple):
    """Both returns and the length of a whole episode."""

    true_return: float
    """Return by the environment's reward."""
    learned_return: float
    """Return by the reward that the agent receives; equal to `true_return` without a learned reward."""
    length: int
    """Number of steps."""


class RecordEpisodeReturns(WrappedSpacesEnv):
    """Vector environment wrapper that records both returns of each episode in `finished`.

    It is the outermost wrapper.  Its infos hold only "env_id" and "env_return", so that a buffer does not
    store unused entries.  With a `monitor` they also hold "distance", the episode's mean so far.

    Example:
        >>> from functools import partial
        >>> import gymnasium as gym
        >>> from tianshou.env import DummyVectorEnv
        >>> make = partial(gym.make, "Pendulum-v1", max_episode_steps=2)
        >>> venv = RecordEpisodeReturns(DummyVectorEnv([make]))
        >>> _ = venv.reset(), venv.step(np.zeros((1, 1))), venv.step(np.zeros((1, 1)))
        >>> [episode.length for episode in venv.finished]
        [2]
    """

    def __init__(self, venv: BaseVectorEnv, monitor: EpisodeMonitor | None = None) -> None:
        super().__init__(venv)
        self.finished: list[EpisodeRecord] = []
        self.monitor = monitor
        self._true, self._learned, self._far = np.zeros((3, len(venv)))
        self._lengths = np.zeros(len(venv), np.int64)

    def reset(self, env_id: Any = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        obs, _ = self.venv.reset(env_id, **kwargs)
        ids = range(len(self)) if env_id is None else [int(i) for i in np.atleast_1d(env_id)]
        for i in ids:
            self._true[i] = self._learned[i] = self._far[i] = self._lengths[i] = 0
        start = {"env_return": 0.0} if self.monitor is None else {"env_return": 0.0, "distance": 0.0}
        return obs, _object_array([{"env_id": i, **start} for i in ids])

    def step(
        self, action: Any, id: Any = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        obs, rew, terminated, truncated, infos = self.venv.step(action, id)
        far = np.zeros(len(infos)) if self.monitor is None else self.monitor.distance(obs)
        records: list[dict[str, Any]] = []
        for row, info in enumerate(infos):
            i = int(info["env_id"])
            self._true[i] += float(info.get("env_reward", rew[row]))
            self._learned[i] += float(rew[row])
            self._lengths[i] += 1
            self._far[i] += float(far[row])
            records.append({"env_id": i, "env_return": float(self._true[i])})
            distance = float(self._far[i] / self._lengths[i])
            if self.monitor is not None:
                records[-1]["distance"] = distance
            if terminated[row] or truncated[row]:
                self.finished.append(
                    EpisodeRecord(float(self._true[i]), float(self._learned[i]), int(self._lengths[i]))
                )
                if self.monitor is not None:
                    self.monitor.add(float(self._learned[i]), distance)
        return obs, rew, terminated, truncated, _object_array(records)


@dataclass(kw_only=True)
class EnvReturnStats(CollectStats):
    """Tianshou's collection statistics with the environment's return.

    `returns_stat` summarizes the returns that the agent receives, `env_returns_stat` the environment's.
    """

    env_returns: list[float] = field(default_factory=list)
    """Environment's return of each finished episode."""

    env_returns_stat: SequenceSummaryStats | None = None
    """Summary of `env_returns`; None before the first finished episode."""

    distances: list[float] = field(default_factory=list)
    """Mean distance of the observations of each finished episode; empty without a monitor."""

    distances_stat: SequenceSummaryStats | None = None
    """Summary of `distances`; None without a monitor and before the first finished episode."""

    def update_at_step_batch(self, step_batch: Any, refresh_sequence_stats: bool = False) -> None:
        super().update_at_step_batch(step_batch, refresh_sequence_stats=refresh_sequence_stats)
        if step_batch.done.any():
            self.env_returns += [float(r) for r in step_batch.info.env_return[step_batch.done]]
            self.env_returns_stat = SequenceSummaryStats.from_sequence(self.env_returns)
            if "distance" in step_batch.info:
                self.distances += [float(d) for d in step_batch.info.distance[step_batch.done]]
                self.distances_stat = SequenceSummaryStats.from_sequence(self.distances)


def _object_array(infos: list[dict[str, Any]]) -> np.ndarray:
    array = np.empty(len(infos), object)
    array[:] = infos
    return array
