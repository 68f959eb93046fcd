"""Wrapper that replaces the rewards of an environment of tensors by a learned reward.

`TensorLearnedReward`  twin of `LearnedReward` without a copy to the host
"""

from collections.abc import Sequence
from typing import Any, Literal

import gymnasium as gym
import torch
from gymnasium.vector import AutoresetMode
from torch import Tensor

from rlpriors.arguments import check_arguments
from rlpriors.wrappers.encoder_source import check_recorded_encoder
from rlpriors.wrappers.reward_adapter import RewardSource
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tensor.reward_adapter import TensorRewardAdapter
from rlpriors.wrappers.tensor.step_info import final_batch, reset_rows
from rlpriors.wrappers.tensor.tensor_wrapper import TensorWrapper

__all__ = ["TensorLearnedReward"]


class TensorLearnedReward(TensorWrapper):
    """Wrapper that replaces the rewards of an environment of tensors by those of a learned reward.

    The environment steps `num_envs` copies as one batch on one device, as Isaac Lab, mjlab and ManiSkill do.
    All transitions of a step are scored in one call there.  Rewards are float32 tensors.  `reward`, `scale`
    and `obs_keys` are those of `LearnedReward`; a given module is moved to the environment's device.
    `TensorWrapper` documents `device`, `autoreset_mode` and `single_observation_space`.

    A step that ends an episode is scored with the final observation in the info, "final_obs" or
    "final_observation".  `missing_final_obs` is for environments that reset in the same step and return
    none: "error" refuses a step that ends an episode, and "repeat" scores it with the observation before
    the step in place of the one after it.  A reward that does not read `obs_next` needs no final
    observation; use "repeat".

    The environments' own rewards stay in `info["env_reward"]` [num_envs].  Rows that were only reset have
    the reward 0, and False in the mask `info["_env_reward"]`.  One boolean per step is read on the host: the
    check for finite rewards.

    Raises:
        ResetNeeded: `step` is called before `reset`, or after an exception in a step.
        ValueError: the reward does not fit the environment's spaces, the tensors are on another device, or
            a final observation is missing.
        TypeError: `env` is no such environment.
        CheckpointError: the folder holds no reward.

    Example:
        >>> class Falling:
        ...     num_envs, device, is_vector_env = 2, "cpu", True
        ...     single_observation_space = gym.spaces.Box(-1, 1, (1,))
        ...     single_action_space = gym.spaces.Box(-1, 1, (1,))
        ...     def reset(self, seed=None, options=None):
        ...         return torch.zeros(2, 1), {}
        ...     def step(self, actions):
        ...         flags = torch.zeros(2, dtype=torch.bool)
        ...         return actions, torch.ones(2), flags, flags, {}
        >>> envs = TensorLearnedReward(Falling(), lambda obs, act, obs_next, terminated: -obs_next[:, 0])
        >>> _ = envs.reset()
        >>> _, rewards, _, _, info = envs.step(torch.tensor([[0.5], [-1.0]]))
        >>> rewards, info["env_reward"]
        (tensor([-0.5000,  1.0000]), tensor([1., 1.]))
    """

    @check_arguments
    def __init__(
        self,
        env: Any,
        reward: RewardSource,
        *,
        device: str | torch.device = "auto",
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
        missing_final_obs: Literal["error", "repeat"] = "error",
        autoreset_mode: AutoresetMode | None = None,
        single_observation_space: gym.Space[Any] | None = None,
    ) -> None:
        super().__init__(env, device, autoreset_mode, single_observation_space)
        self.missing_final_obs = missing_final_obs
        self.reward_adapter = TensorRewardAdapter(
            reward,
            self.single_observation_space,
            self.single_action_space,
            device=self.device,
            scale=scale,
            obs_keys=obs_keys,
        )
        check_recorded_encoder(self.reward_adapter.reward, env)
        self._last_obs = torch.empty(0, device=self.device)
        self._guard = StepGuard(1)  # the environments of a batch are current together

    def reset(
        self, *, seed: Any = None, options: dict[str, Any] | None = None, env_ids: Any = None
    ) -> tuple[Any, Any]:
        """Reset all environments, or those of `env_ids` or `options`."""
        mask = reset_rows(options, env_ids, self.num_envs, self.device)
        if mask is not None:
            self._guard.check(0)
        with self._guard.reset(0):
            obs, info = self._reset_env(seed, options, env_ids)
            # After a partial reset the other rows repeat their last observation.
            self._last_obs = self.reward_adapter.read_obs(obs)
            self.autoreset.reset(True if mask is None else mask)
        none = torch.zeros(self.num_envs, device=self.device)
        return obs, {"env_reward": none, "_env_reward": none.bool(), **info}

    def step(self, actions: Any) -> tuple[Any, Tensor, Any, Any, Any]:
        with self._guard.step():
            act = self.reward_adapter.read_actions(actions)
            obs, env_rewards, terminated, truncated, info = self.env.step(actions)
            new_obs = self.reward_adapter.read_obs(obs)
            self.autoreset.step(terminated, truncated)
            stepped, obs_next = self.autoreset.stepped, self._true_next(new_obs, info)
            rewards = self.reward_adapter(self._last_obs, act, obs_next, terminated, stepped)
            self._last_obs = new_obs
        # An existing "env_reward" comes from a wrapper further inside and is the true reward.
        info = {"env_reward": env_rewards.clone(), "_env_reward": stepped.clone(), **info}
        return obs, rewards, terminated, truncated, info

    def _true_next(self, new_obs: Tensor, info: Any) -> Tensor:
        if self.autoreset_mode != AutoresetMode.SAME_STEP:
            return new_obs
        ended, batch = self.autoreset.final, final_batch(info, self.num_envs)
        if batch is not None:
            final_obs = self.reward_adapter.read_obs(batch)
        elif self.missing_final_obs == "repeat":
            final_obs = self._last_obs
        elif bool(ended.any()):
            raise ValueError(
                '`info` must hold the final observations as "final_obs", since the environment resets in the '
                f"same step. Received the keys {sorted(map(str, info))}; let the environment return them "
                '(compute_final_obs=True in Isaac Lab), or pass missing_final_obs="repeat".'
            )
        else:
            return new_obs
        return torch.where(ended.view(-1, *[1] * (new_obs.ndim - 1)), final_obs, new_obs)
