"""Adapter between a reward and an environment of tensors.

`TensorRewardAdapter`  scores transitions that are tensors, on their device
"""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import torch
from jaxtyping import Bool, Float32
from torch import Tensor

from rlpriors.data.observations import select_leaves
from rlpriors.wrappers.reward_adapter import RewardAdapter, RewardSource, check_finite, score_rows

__all__ = ["TensorRewardAdapter"]


class TensorRewardAdapter:
    """Scorer of an environment's transitions that are tensors on `device`; see `RewardAdapter`.

    Raises:
        ValueError, TypeError, CheckpointError: as `RewardAdapter`.

    Example:
        >>> def height(obs, act, obs_next, terminated):
        ...     return obs_next[:, 0]
        >>> box = gym.spaces.Box(-1, 1, (2,))
        >>> adapter = TensorRewardAdapter(height, box, box, device=torch.device("cpu"), scale=2.0)
        >>> obs = adapter.read_obs(torch.tensor([[0.5, 0.0]]))
        >>> adapter(obs, obs, obs, torch.tensor([False]), torch.tensor([True]))
        tensor([1.])
    """

    def __init__(
        self,
        reward: RewardSource,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        device: torch.device,
        scale: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        fitted = RewardAdapter(
            reward, observation_space, action_space, device=device, scale=scale, obs_keys=obs_keys
        )
        self.reward, self.scale, self.obs_keys = fitted.reward, fitted.scale, fitted.obs_keys
        self.device = device

    def read_obs(self, obs: Any) -> Float32[Tensor, "batch *obs"]:
        """Return a copy of the entries of a batch of observations that the reward reads.

        Raises:
            ValueError: an entry is no tensor on the device.
        """
        leaves = [self._check(leaf, "The observation") for leaf in select_leaves(obs, self.obs_keys)]
        if len(leaves) > 1:
            return torch.cat([leaf.reshape(len(leaf), -1).to(torch.float32) for leaf in leaves], 1)
        entries = leaves[0].to(torch.float32, copy=True)
        return entries[:, None] if entries.ndim == 1 else entries

    def read_actions(self, actions: Any) -> Float32[Tensor, "batch *act"]:
        """Return a copy of a batch of actions.

        Raises:
            ValueError: the actions are no tensor on the device.
        """
        rows = self._check(actions, "`actions`").to(torch.float32, copy=True)
        return rows[:, None] if rows.ndim == 1 else rows

    def __call__(
        self,
        obs: Float32[Tensor, "batch *obs"],
        act: Float32[Tensor, "batch *act"],
        obs_next: Float32[Tensor, "batch *obs"],
        terminated: Tensor,
        stepped: Bool[Tensor, " batch"],
    ) -> Float32[Tensor, " batch"]:
        """Score a batch in one call of the reward and multiply by `scale`; 0 where `stepped` is False.

        Raises:
            ValueError, TypeError: as `RewardAdapter`.
        """
        inputs = (obs, act, obs_next, terminated.bool())
        values = score_rows(self.reward, inputs, self.device, torch.float32)
        values = torch.where(stepped, values, torch.zeros_like(values))
        check_finite(values, obs, act, obs_next)
        return self.scale * values

    def _check(self, values: Any, what: str) -> Tensor:
        if isinstance(values, Tensor) and values.device == self.device:
            return values.detach()
        received = (
            f"a tensor on {values.device}" if isinstance(values, Tensor) else f"a {type(values).__name__}"
        )
        raise ValueError(
            f"{what} must be tensors on {self.device}, the device of the reward. Received {received}; pass "
            "the environments' device as `device`, or move the tensors."
        )
