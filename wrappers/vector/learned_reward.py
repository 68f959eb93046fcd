"""A learned reward in place of those of a `gymnasium.vector` environment.

`VectorLearnedReward`  one batched call of the reward for each step
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from gymnasium.core import ActType, ObsType
from gymnasium.error import ResetNeeded
from gymnasium.vector import VectorEnv, VectorWrapper

from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource
from rlpriors.wrappers.vector.autoreset import Autoreset

__all__ = ["VectorLearnedReward"]


class VectorLearnedReward(VectorWrapper[ObsType, ActType, ObsType, ActType, np.ndarray]):
    """`LearnedReward` for a vector environment: all rows are judged in one call, in this process.

    A step that ends an episode is judged by the episode's true last observation in each of
    Gymnasium's autoreset modes.  The environments' own rewards stay in `info["env_reward"]`
    [num_envs]; its mask `info["_env_reward"]` and the rewards are False and 0 for the rows that only
    reset (the step after an episode's end in NEXT_STEP mode), and the reward function never sees these.

    `reward`, `device`, `scale` and `obs_keys` are those of `LearnedReward`.

    Raises:
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
        super().__init__(env)
        self.autoreset = Autoreset(env)
        self.judge = RewardAdapter(
            reward,
            env.single_observation_space,
            env.single_action_space,
            device=device,
            scale=scale,
            obs_keys=obs_keys,
        )
        self._last: np.ndarray | None = None

    def reset(
        self, *, seed: int | Any | None = None, options: dict[str, Any] | None = None
    ) -> tuple[ObsType, dict[str, Any]]:
        """Reset all environments, or those of `options["reset_mask"]`."""
        mask = (options or {}).get("reset_mask", True)  # read before the environment takes it out
        obs, info = self.env.reset(seed=seed, options=options)
        # After a partial reset the other rows repeat their last observation.
        self._last = self.judge.observe(obs, batch_dims=1)
        self.autoreset.reset(mask)
        return obs, info

    def step(self, actions: ActType) -> tuple[ObsType, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        if self._last is None:
            raise ResetNeeded("Call `reset` before `step`: a reward judges the way between two observations.")
        acted = self.judge.act(actions)
        obs, env_rewards, terminated, truncated, info = self.env.step(actions)
        seen = self.judge.observe(obs, batch_dims=1)
        self.autoreset.step(terminated, truncated)
        later, moved = self._true_next(seen, info), self.autoreset.moved
        rewards = np.zeros(self.num_envs)
        if moved.any():
            rewards[moved] = self.judge(self._last[moved], acted[moved], later[moved], terminated[moved])
        self._last = seen
        own = {"env_reward": np.array(env_rewards), "_env_reward": moved}
        return obs, rewards, terminated, truncated, {**own, **info}

    def _true_next(self, seen: np.ndarray, info: dict[str, Any]) -> np.ndarray:
        if not self.autoreset.last.any():
            return seen
        later = seen.copy()
        for row in np.flatnonzero(self.autoreset.last):
            later[row] = self.judge.observe(info["final_obs"][row])
        return later
