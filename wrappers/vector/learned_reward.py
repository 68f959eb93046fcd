"""Wrapper that replaces the rewards of a `gymnasium.vector` environment by a learned reward.

`VectorLearnedReward`  twin of `LearnedReward` with one batched call of the reward per vector step
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.core import ActType, ObsType
from gymnasium.vector import VectorEnv

from rlpriors.wrappers.encoder_source import check_recorded_encoder
from rlpriors.wrappers.env_kind import check_env_kind, check_full_batch
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.vector.autoreset import AutoresetTracker
from rlpriors.wrappers.vector.generic_wrapper import GenericVectorWrapper
from rlpriors.wrappers.vector.step_info import (
    check_rows,
    final_observations,
    to_numpy,
    with_env_reward,
)

__all__ = ["VectorLearnedReward"]


class VectorLearnedReward(GenericVectorWrapper[ObsType, ActType, ObsType, ActType, np.ndarray]):
    """Wrapper that replaces the rewards of a vector environment by those of a learned reward.

    All transitions of a step are scored in one call in this process.  `reward`, `device`, `scale` and
    `obs_keys` are those of `LearnedReward`.

    In each of Gymnasium's autoreset modes, a step that ends an episode is scored with the true final
    observation of the episode.  The environments' own rewards stay in `info["env_reward"]` [num_envs].
    For rows that were only reset (the step after an episode's end in NEXT_STEP mode) the reward is 0
    and the mask `info["_env_reward"]` is False; the reward function does not receive these rows.  Final
    observations as one batch, tensors, lists of info dictionaries and the older key "final_observation"
    are understood.

    Raises:
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.
        ValueError: the reward does not fit the environments' spaces, or
            `env.metadata["autoreset_mode"]` is none of Gymnasium's.
        CheckpointError: the folder holds no reward.

    Example:
        >>> import gymnasium as gym
        >>> def height(obs, act, obs_next, terminated):
        ...     return obs_next[:, 0]
        >>> envs = VectorLearnedReward(gym.make_vec("Pendulum-v1", num_envs=3), height, device="cpu")
        >>> _ = envs.reset(seed=0)
        >>> obs, rewards, _, _, info = envs.step(envs.action_space.sample())
        >>> bool(np.allclose(rewards, obs[:, 0])), info["env_reward"].shape
        (True, (3,))
    """

    def __init__(
        self,
        env: VectorEnv[ObsType, ActType, np.ndarray],
        reward: RewardSource,
        *,
        device: str | torch.device = "auto",
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        check_env_kind(env, "LearnedReward", "Vector")
        super().__init__(env)
        check_full_batch(env)
        self.autoreset = AutoresetTracker(env)
        spaces = (env.single_observation_space, env.single_action_space)
        self.reward_adapter = RewardAdapter(reward, *spaces, device=device, scale=scale, obs_keys=obs_keys)
        check_recorded_encoder(self.reward_adapter.reward, env)
        self._last_obs = np.empty(0, np.float32)
        self._guard = StepGuard(env.num_envs)

    def reset(
        self, *, seed: int | Any | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, Any]:
        """Reset all environments, or those of `options["reset_mask"]`."""
        # Read before the environment removes it.
        mask = np.broadcast_to((options or {}).get("reset_mask", True), self.num_envs)
        self._guard.check(~mask)
        with self._guard.reset(mask):
            obs, info = self.env.reset(seed=seed, options=options)
            # After a partial reset the other rows repeat their last observation.
            self._last_obs = self.reward_adapter.read_obs(obs, batch_dims=1)
            check_rows(len(self._last_obs), self.num_envs)
            self.autoreset.reset(mask)
        none = np.zeros(self.num_envs, np.bool_)
        return obs, with_env_reward(info, np.zeros(self.num_envs), none)

    def step(self, actions: ActType) -> tuple[ObsType, np.ndarray, Any, Any, Any]:
        with self._guard.step():
            act = self.reward_adapter.read_actions(actions)
            obs, env_rewards, terminated, truncated, info = self.env.step(actions)
            new_obs = self.reward_adapter.read_obs(obs, batch_dims=1)
            self.autoreset.step(terminated, truncated)
            obs_next, stepped = self._true_next(new_obs, info), self.autoreset.stepped
            rewards = np.zeros(self.num_envs)
            if stepped.any():
                rewards[stepped] = self.reward_adapter(
                    self._last_obs[stepped], act[stepped], obs_next[stepped], to_numpy(terminated)[stepped]
                )
            self._last_obs = new_obs
        return obs, rewards, terminated, truncated, with_env_reward(info, env_rewards, stepped)

    def _true_next(self, new_obs: np.ndarray, info: Any) -> np.ndarray:
        if not self.autoreset.final.any():
            return new_obs
        obs_next, ended = new_obs.copy(), np.flatnonzero(self.autoreset.final)
        for row, obs in zip(ended, final_observations(info, ended, self.num_envs), strict=True):
            obs_next[row] = self.reward_adapter.read_obs(obs)
        return obs_next
