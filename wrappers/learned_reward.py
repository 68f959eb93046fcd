"""Wrapper that replaces an environment's reward by a learned reward.

`LearnedReward`  for a single environment; `vector` and `tianshou` hold the twins for many
"""

import os
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.core import ActType, ObsType

from rlpriors.wrappers.autoreset_wrappers import AutoresetWrappers
from rlpriors.wrappers.encoder_source import check_recorded_encoder
from rlpriors.wrappers.env_kind import check_env_kind
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource
from rlpriors.wrappers.step_guard import StepGuard

__all__ = ["LearnedReward"]


class LearnedReward(gym.Wrapper[ObsType, ActType, ObsType, ActType], gym.utils.RecordConstructorArgs):
    """Wrapper that replaces the reward by `scale * reward(obs, act, obs_next, terminated)`.

    The environment's own reward stays in `info["env_reward"]`, a numpy scalar that is 0 after a reset.  A
    step that only starts an episode (gymnasium.wrappers.Autoreset) has the reward 0.  `reward` is the
    folder of a saved reward, a `RewardModel`, or any function of four float32 tensors with a leading batch
    dimension; `RewardAdapter` documents its inputs and its device.  A spec can hold a folder only; with it
    `gym.make(env.spec)`, JSON and `additional_wrappers` work.  In a Dict observation the leaves
    `obs_keys` are read: by default those of the saved reward, otherwise all.

    For many environments, `VectorLearnedReward` and `TianshouLearnedReward` score all transitions of a
    step in one call in the main process, which can use a GPU.

    Raises:
        ValueError: the reward does not fit the environment's spaces, or was learned with another encoder.
        TypeError: `env` is a vector environment.
        CheckpointError: the folder holds no reward.
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.

    Example:
        >>> from tempfile import mkdtemp
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=4, act_dim=1)).save(mkdtemp())
        >>> env = LearnedReward(gym.make("CartPole-v1"), str(folder), device="cpu")
        >>> _ = env.reset(seed=0)
        >>> _, reward, _, _, info = env.step(1)
        >>> type(reward), float(info["env_reward"])
        (<class 'float'>, 1.0)
        >>> gym.make(env.spec)
        <LearnedReward<TimeLimit<OrderEnforcing<PassiveEnvChecker<CartPoleEnv<CartPole-v1>>>>>>
    """

    def __init__(
        self,
        env: gym.Env[ObsType, ActType],
        reward: RewardSource,
        *,
        device: str | torch.device = "auto",
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        check_env_kind(env, "LearnedReward", "")
        folder = os.fspath(reward) if isinstance(reward, str | os.PathLike) else None
        gym.utils.RecordConstructorArgs.__init__(
            self,
            reward=reward if folder is None else folder,
            device=str(device),
            scale=scale,
            obs_keys=None if obs_keys is None else list(obs_keys),
            # A network is shared with the caller; a copy would not follow its training.
            _disable_deepcopy=folder is None,
        )
        gym.Wrapper.__init__(self, env)
        self.reward_adapter = RewardAdapter(
            reward, env.observation_space, env.action_space, device=device, scale=scale, obs_keys=obs_keys
        )
        check_recorded_encoder(self.reward_adapter.reward, env)
        self._last_obs = np.empty(0, np.float32)
        self._autoreset = AutoresetWrappers(env)
        self._guard = StepGuard(1)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        with self._guard.reset(0):
            obs, info = self.env.reset(seed=seed, options=options)
            self._last_obs = self.reward_adapter.read_obs(obs)
        return obs, {"env_reward": np.float64(0.0), **info}

    def step(self, action: ActType) -> tuple[ObsType, float, bool, bool, dict[str, Any]]:
        with self._guard.step():
            is_reset = self._autoreset.next_step_resets
            obs, env_reward, terminated, truncated, info = self.env.step(action)
            obs_next = self.reward_adapter.read_obs(obs)
            reward = 0.0 if is_reset else self._score(action, obs_next, terminated)
            self._last_obs = obs_next
        # An existing "env_reward" comes from a LearnedReward further inside and is the true reward.
        return obs, reward, terminated, truncated, {"env_reward": np.float64(env_reward), **info}

    def _score(self, action: ActType, obs_next: np.ndarray, terminated: bool) -> float:
        act = self.reward_adapter.read_actions(np.asarray(action)[None])
        rewards = self.reward_adapter(
            self._last_obs[None], act, obs_next[None], np.array([terminated], np.bool_)
        )
        return float(rewards[0])
