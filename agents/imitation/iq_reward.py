"""Reward that inverse soft Q-learning recovers from its Q function.

`IQReward`  r(s, a, s') = Q(s, a) - gamma V(s'), in raw units
"""

from typing import Any

import gymnasium as gym
import torch
from jaxtyping import Bool, Float
from tianshou.algorithm.algorithm_base import Policy
from torch import Tensor

from rlpriors.agents.imitation.soft_values import SoftValues
from rlpriors.agents.online.action_units import to_policy_units
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.records.layout_record import LayoutRecord

__all__ = ["IQReward"]

N_DRAWS = 16
"""Actions over which an actor's soft value is averaged."""


class IQReward(LayoutRecord):
    """Reward r(s, a, s') = Q(s, a) - gamma V(s') of inverse soft Q-learning (arXiv 2106.12142, section 4).

    It reads the live networks of its algorithm and has no weights of its own.  With SAC it is the mean over
    both critics, and V averages over actions of fixed noise, so that equal steps receive equal rewards.
    After a termination V is 0.  It has no gradient.

    Example:
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.agents.imitation.soft_values import soft_values
        >>> from rlpriors.data import Episode
        >>> dqn = make_algorithm(
        ...     gym.spaces.Box(-9, 9, (1,)), gym.spaces.Discrete(2), AlgorithmSettings("dqn"), device="cpu")
        >>> right = Episode([[0.0], [1.0]], [1], [0.0], [False], [True])
        >>> store = EpisodeStore.from_episodes([right])
        >>> IQReward(soft_values(dqn, temperature=0.1), dqn.policy, store)(*store.transitions()).shape
        torch.Size([1])
    """

    act_dim: int
    n_actions: int | None = None
    noise: Tensor

    def __init__(
        self, values: SoftValues, policy: Policy, demonstrations: EpisodeStore, seed: int = 0
    ) -> None:
        """Build the reward for the observations and actions of `demonstrations`."""
        super().__init__()
        # In a list: the algorithm registers these networks, and a second time would save them twice.
        self._parts: list[Any] = [values, policy]
        self.obs_dim = demonstrations.obs[0].size
        self.act_dim = demonstrations.act[0].size
        space = policy.action_space
        self.n_actions = int(space.n) if isinstance(space, gym.spaces.Discrete) else None
        self.obs_keys = None
        generator = torch.Generator().manual_seed(seed)
        noise = torch.randn(N_DRAWS, self.act_dim, generator=generator)
        self.register_buffer("noise", noise.to(values.device), persistent=False)
        self.record_layout(demonstrations.obs_layout, "the demonstrations")

    @property
    def device(self) -> torch.device:
        """Device of the networks."""
        values: SoftValues = self._parts[0]
        return values.device

    @torch.no_grad()
    def forward(
        self,
        obs: Float[Tensor, "batch obs"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch obs"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the reward of each transition; actions are those of the environment."""
        values, policy = self._parts
        units = torch.as_tensor(to_policy_units(policy, act.cpu().numpy()), device=act.device)
        following = values.gamma * (~terminated).float()
        rewards = [
            values.action_value(index, obs, units)
            - following * values.state_value(index, obs_next, noise=self.noise)
            for index in range(values.n_critics)
        ]
        return torch.stack(rewards).mean(0)
