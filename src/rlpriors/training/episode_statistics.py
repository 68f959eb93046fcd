"""What an environment paid, kept beside the reward that an agent sees.

`RecordEpisodeReturns`         counts both returns of every episode, around Tianshou's vector environments
`EnvReturnStats`      a collector's statistics with the environment's own return
`FlatObservation`  the wanted parts of an observation as one vector
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Float32
from tianshou.data import CollectStats, SequenceSummaryStats
from tianshou.env import BaseVectorEnv, VectorEnvWrapper

from rlpriors.data.observations import observation_shape, select_observation

__all__ = ["EnvReturnStats", "EpisodeRecord", "FlatObservation", "RecordEpisodeReturns"]


class EpisodeRecord(NamedTuple):
    """One whole episode."""

    true_return: float
    """What the environment paid."""
    learned_return: float
    """What the agent was shown; the same without a learned reward."""
    length: int
    """Steps."""


class RecordEpisodeReturns(VectorEnvWrapper):
    """Counts what each episode earned, by the environment's reward and by the one that is shown.

    It goes around everything else.  Of the infos it keeps what the count needs, so that a buffer
    does not grow by what nobody reads.

    Example:
        >>> from tianshou.env import DummyVectorEnv
        >>> venv = RecordEpisodeReturns(DummyVectorEnv([lambda: gym.make("Pendulum-v1", max_episode_steps=2)]))
        >>> _ = venv.reset(), venv.step(np.zeros((1, 1))), venv.step(np.zeros((1, 1)))
        >>> [episode.length for episode in venv.finished]
        [2]
    """

    def __init__(self, venv: BaseVectorEnv) -> None:
        super().__init__(venv)
        self.finished: list[EpisodeRecord] = []
        self._true, self._shown = np.zeros(len(venv)), np.zeros(len(venv))
        self._steps = np.zeros(len(venv), np.int64)

    def reset(self, env_id: Any = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        obs, _ = self.venv.reset(env_id, **kwargs)
        ids = range(len(self)) if env_id is None else [int(i) for i in np.atleast_1d(env_id)]
        for i in ids:
            self._true[i] = self._shown[i] = self._steps[i] = 0
        return obs, _told([{"env_id": i, "env_return": 0.0} for i in ids])

    def step(
        self, action: Any, id: Any = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        obs, rew, terminated, truncated, infos = self.venv.step(action, id)
        told = []
        for row, info in enumerate(infos):
            i = int(info["env_id"])
            self._true[i] += float(info.get("env_reward", rew[row]))
            self._shown[i] += float(rew[row])
            self._steps[i] += 1
            told.append({"env_id": i, "env_return": float(self._true[i])})
            if terminated[row] or truncated[row]:
                ended = EpisodeRecord(float(self._true[i]), float(self._shown[i]), int(self._steps[i]))
                self.finished.append(ended)
        return obs, rew, terminated, truncated, _told(told)


@dataclass(kw_only=True)
class EnvReturnStats(CollectStats):
    """Tianshou's statistics, of which `returns_stat` is by the reward shown, and `env_returns_stat`."""

    env_returns: list[float] = field(default_factory=list)
    """What the environment paid in each episode that ended."""

    env_returns_stat: SequenceSummaryStats | None = None
    """Its summary; None while no episode has ended."""

    def update_at_step_batch(self, step_batch: Any, refresh_sequence_stats: bool = False) -> None:
        super().update_at_step_batch(step_batch, refresh_sequence_stats=refresh_sequence_stats)
        if step_batch.done.any():
            self.env_returns += [float(r) for r in step_batch.info.env_return[step_batch.done]]
            self.env_returns_stat = SequenceSummaryStats.from_sequence(self.env_returns)


class FlatObservation(
    gym.ObservationWrapper[np.ndarray, Any, Any],
    gym.utils.RecordConstructorArgs,
):
    """The leaves `obs_keys` of a Dict observation, or a plain observation, as one float32 vector.

    Args:
        env: any environment whose observations are numbers.
        obs_keys: leaves in the order wanted; None for all, sorted, or for plain observations.

    Example:
        >>> space = gym.spaces.Dict(xy=gym.spaces.Box(-1, 1, (2,)), goal=gym.spaces.Box(-1, 1, (2,)))
        >>> env = gym.wrappers.TransformObservation(
        ...     gym.make("CartPole-v1"), lambda obs: {"xy": obs[:2], "goal": obs[2:]}, space)
        >>> FlatObservation(env, ["xy"]).observation_space.shape
        (2,)
    """

    def __init__(self, env: gym.Env[Any, Any], obs_keys: Sequence[str] | None = None) -> None:
        keys = None if obs_keys is None else tuple(obs_keys)
        gym.utils.RecordConstructorArgs.__init__(self, obs_keys=keys)
        gym.ObservationWrapper.__init__(self, env)
        self.obs_keys = keys if isinstance(env.observation_space, gym.spaces.Dict) else None
        size = int(np.prod(observation_shape(env.observation_space, self.obs_keys)))
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (size,), np.float32)

    def observation(self, observation: Any) -> Float32[np.ndarray, " obs"]:
        return np.array(select_observation(observation, self.obs_keys), np.float32).reshape(-1)


def _told(infos: list[dict[str, Any]]) -> np.ndarray:
    array = np.empty(len(infos), object)
    array[:] = infos
    return array
