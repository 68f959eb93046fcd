"""Wrapper that replaces the rewards of a Tianshou vector environment by a learned reward.

`TianshouLearnedReward`  twin of `LearnedReward` with one batched call of the reward per vector step
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from tianshou.env import BaseVectorEnv

from rlpriors.spaces import wrapped_spaces
from rlpriors.wrappers.encoder_source import check_recorded_encoder
from rlpriors.wrappers.env_kind import check_env_kind
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tianshou.vector_env import (
    EnvIds,
    WrappedSpacesEnv,
    object_array,
    resolve_env_ids,
    returned_ids,
)

__all__ = ["TianshouLearnedReward"]


class TianshouLearnedReward(WrappedSpacesEnv):
    """Wrapper that replaces the rewards of a Tianshou vector environment by those of a learned reward.

    All transitions of a step are scored in one call in the main process: the reward can use a GPU,
    forked workers need no torch, and it is faster than a wrapper inside each environment.  `reward`,
    `device`, `scale` and `obs_keys` are those of `LearnedReward`.

    The environments' own rewards stay in each `info["env_reward"]`, which is 0 after a reset.  Tianshou
    resets no environment by itself, so that the last step of an episode is scored with its true final
    observation.
    The reward reads actions in units of the environment.  A replay buffer holds actions in units of the
    policy; `policy.map_action` converts them.

    Raises:
        ValueError: the reward does not fit the environments' spaces.
        CheckpointError: the folder holds no reward.
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.env import DummyVectorEnv
        >>> def height(obs, act, obs_next, terminated):
        ...     return obs_next[:, 0]
        >>> venv = DummyVectorEnv([lambda: gym.make("Pendulum-v1")] * 2)
        >>> venv = TianshouLearnedReward(venv, height, device="cpu")
        >>> _ = venv.reset(seed=0)
        >>> obs, rew, _, _, info = venv.step(np.zeros((2, 1)))
        >>> bool(np.allclose(rew, obs[:, 0])), "env_reward" in info[0]
        (True, True)
    """

    def __init__(
        self,
        venv: BaseVectorEnv,
        reward: RewardSource,
        *,
        device: str | torch.device = "auto",
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        check_env_kind(venv, "LearnedReward", "Tianshou", "venv")
        super().__init__(venv)
        self.reward_adapter = RewardAdapter(
            reward, *wrapped_spaces(venv), device=device, scale=scale, obs_keys=obs_keys
        )
        check_recorded_encoder(self.reward_adapter.reward, venv)
        # By environment: a step may cover some environments only, and with `wait_num` it returns them in
        # another order.
        self._last_obs: dict[int, np.ndarray] = {}
        self._last_act: dict[int, np.ndarray] = {}
        self._guard = StepGuard(len(venv))

    def reset(self, env_id: EnvIds = None, **kwargs: Any) -> tuple[np.ndarray, np.ndarray]:
        env_ids = resolve_env_ids(self, env_id)
        with self._guard.reset(env_ids):
            obs, infos = self.venv.reset(env_id, **kwargs)
            self._last_obs.update(zip(env_ids, self._read_obs(obs), strict=True))
        return obs, _with_env_reward(infos, np.zeros(len(infos)))

    def step(
        self, action: np.ndarray | torch.Tensor | None, id: EnvIds = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        env_ids = [] if action is None else resolve_env_ids(self, id)
        with self._guard.step(env_ids):
            if action is not None:
                self._last_act.update(zip(env_ids, self.reward_adapter.read_actions(action), strict=True))
            obs, env_rew, terminated, truncated, infos = self.venv.step(action, id)
            returned = returned_ids(infos)
            obs_next = self._read_obs(obs)
            last_obs = np.stack([self._last_obs[i] for i in returned])
            act = np.stack([self._last_act[i] for i in returned])
            rew = self.reward_adapter(last_obs, act, obs_next, terminated)
            self._last_obs.update(zip(returned, obs_next, strict=True))
        return obs, rew, terminated, truncated, _with_env_reward(infos, env_rew)

    def _read_obs(self, obs: np.ndarray) -> np.ndarray:
        if obs.dtype == object:  # Tianshou batches Dict observations as an array of dictionaries
            return np.stack([self.reward_adapter.read_obs(one) for one in obs])
        return self.reward_adapter.read_obs(obs, batch_dims=1)


def _with_env_reward(infos: np.ndarray, env_rewards: np.ndarray) -> np.ndarray:
    return object_array(
        [{"env_reward": np.float64(r), **info} for r, info in zip(env_rewards, infos, strict=True)]
    )
