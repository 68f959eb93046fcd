"""A learned reward in place of the environment's.

`LearnedReward`  for one environment; its vector twins are in vector.py and tianshou_venv.py
"""

import os
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium.core import ActType, ObsType
from gymnasium.error import ResetNeeded

from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource

__all__ = ["LearnedReward"]


class LearnedReward(gym.Wrapper[ObsType, ActType, ObsType, ActType], gym.utils.RecordConstructorArgs):
    """Replaces each step's reward by `scale * reward(obs, act, obs_next, terminated)`.

    The environment's own reward stays in `info["env_reward"]`.  `reward` is the folder of a saved
    reward, a `RewardModel`, or any function of four float32 tensors with a leading batch
    dimension; see `RewardAdapter` for what it gets and where.  Only a folder can be written into a
    spec: with it `gym.make(env.spec)`, JSON and `additional_wrappers` work.  Of a Dict observation
    the leaves `obs_keys` are read, by default those that the saved reward names, else all.

    Many environments: `VectorLearnedReward` and `TianshouLearnedReward` judge all of them in one
    call and in the main process, where a GPU can be used.

    Raises:
        ValueError: the reward does not fit the environment's spaces.
        CheckpointError: the folder holds no reward.

    Example:
        >>> from tempfile import mkdtemp
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> folder = MLPReward(RewardSettings(obs_dim=4, act_dim=1)).save(mkdtemp())
        >>> env = LearnedReward(gym.make("CartPole-v1"), str(folder), device="cpu")
        >>> _ = env.reset(seed=0)
        >>> _, reward, _, _, info = env.step(1)
        >>> type(reward), info["env_reward"]
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
        folder = os.fspath(reward) if isinstance(reward, str | os.PathLike) else None
        gym.utils.RecordConstructorArgs.__init__(
            self,
            reward=reward if folder is None else folder,
            device=str(device),
            scale=scale,
            obs_keys=None if obs_keys is None else list(obs_keys),
            # A network is shared with whoever gave it; a copy would stop following its training.
            _disable_deepcopy=folder is None,
        )
        gym.Wrapper.__init__(self, env)
        self.judge = RewardAdapter(
            reward, env.observation_space, env.action_space, device=device, scale=scale, obs_keys=obs_keys
        )
        self._last: np.ndarray | None = None

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        obs, info = self.env.reset(seed=seed, options=options)
        self._last = self.judge.observe(obs)
        return obs, info

    def step(self, action: ActType) -> tuple[ObsType, float, bool, bool, dict[str, Any]]:
        obs, env_reward, terminated, truncated, info = self.env.step(action)
        if self._last is None:
            raise ResetNeeded("Call `reset` before `step`: a reward judges the way between two observations.")
        seen = self.judge.observe(obs)
        acted = self.judge.act(np.asarray(action)[None])
        rewards = self.judge(self._last[None], acted, seen[None], np.array([terminated], np.bool_))
        self._last = seen
        # An "env_reward" that is there already comes from such a wrapper further in: it is the true one.
        return obs, float(rewards[0]), terminated, truncated, {"env_reward": float(env_reward), **info}
