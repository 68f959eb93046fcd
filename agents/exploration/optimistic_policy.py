"""Q-learning policy that chooses actions by value and bonus.

`OptimisticQPolicy`  argmax of Q(s, a) + weight * bonus(s, a) while it collects for a training
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
from tianshou.data import Batch

from rlpriors.data.observations import select_observation
from rlpriors.rewards.exploration.base import ExplorationReward
from rlpriors.rewards.validation import check_factors
from rlpriors.spaces.actions import check_action_spaces

__all__ = ["OptimisticQPolicy"]


class OptimisticQPolicy(DiscreteQLearningPolicy[Any]):
    """Policy of DQN that chooses argmax Q(s, a) + weight * bonus(s, a) while it collects for a training.

    Targets and evaluations use Q alone.  Epsilon-greedy noise is applied after the choice, as before.  The
    network is that of `policy`, not a copy.  `greedy` returns the policy without the bonus, to save it.

    Args:
        policy: a `DiscreteQLearningPolicy`, as DQN has it.
        bonus: reward of exploration for the same Discrete actions; it stays a reference, so that its updates
            have an effect at once.
        weight: factor of the bonus, at least 0.
        obs_keys: leaves of a Dict observation that the bonus reads.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.utils.net.common import Net
        >>> from rlpriors.rewards import EllipticalBonus, EllipticalSettings
        >>> net, two = Net(state_shape=1, action_shape=2, hidden_sizes=[8]), gym.spaces.Discrete(2)
        >>> bonus = EllipticalBonus(EllipticalSettings(obs_dim=1, act_dim=1, n_actions=2, beta=100.0))
        >>> policy = OptimisticQPolicy(DiscreteQLearningPolicy(model=net, action_space=two), bonus)
        >>> bonus.observe(torch.ones(9, 1), torch.zeros(9, 1))  # action 0 is known, action 1 is not
        >>> policy.optimistic_actions(Batch(obs=np.ones((1, 1), np.float32), info=Batch()))
        array([1])

    Raises:
        TypeError: the policy is of another class.
        ValueError: the bonus is of other actions, or the weight is out of bounds.
    """

    def __init__(
        self,
        policy: Policy,
        bonus: ExplorationReward,
        weight: float = 1.0,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        if type(policy) is not DiscreteQLearningPolicy:
            raise TypeError(
                "`policy` must be a DiscreteQLearningPolicy, as DQN has it. Received a "
                f"{type(policy).__name__}; use the bonus in the reward alone (`action_weight=0`)."
            )
        check_factors(weight=(weight,))
        if weight < 0:
            raise ValueError(f"`weight` must be at least 0. Received {weight}.")
        if bonus.discrete_space is None:
            raise ValueError("`bonus` must read Discrete actions. Received one without `settings.n_actions`.")
        check_action_spaces("`bonus`", bonus.discrete_space, "the policy", policy.action_space)
        super().__init__(
            model=policy.model,
            action_space=policy.action_space,
            observation_space=policy.observation_space,
            eps_training=policy.eps_training,
            eps_inference=policy.eps_inference,
        )
        self.weight, self.obs_keys = float(weight), obs_keys
        self._bonus = (bonus,)  # not a submodule: neither optimizers nor files of the policy contain it

    @property
    def bonus(self) -> ExplorationReward:
        """Reward that is added to the values."""
        return self._bonus[0]

    def greedy(self) -> DiscreteQLearningPolicy[Any]:
        """Return the policy without the bonus, with the same network."""
        return DiscreteQLearningPolicy(
            model=self.model,
            action_space=self.action_space,
            observation_space=self.observation_space,
            eps_training=self.eps_training,
            eps_inference=self.eps_inference,
        )

    @torch.no_grad()
    def optimistic_actions(self, batch: Any) -> Int[np.ndarray, " batch"]:
        """Return the actions with the largest sum of value and weighted bonus; masked ones never."""
        result: Any = self.forward(batch)
        mask = getattr(batch.obs, "mask", None)
        obs = batch.obs.obs if hasattr(batch.obs, "obs") else batch.obs
        if isinstance(obs, Batch):
            obs = select_observation(obs.to_dict(), self.obs_keys, batch_dims=1)
        rows = torch.as_tensor(np.asarray(obs, np.float32), device=self.bonus.device)
        bonus = self.bonus.action_rewards(rows.reshape(len(rows), -1)).to(result.logits)
        values = self.compute_q_value(result.logits + self.weight * bonus, mask)
        return np.asarray(values.argmax(1).cpu().numpy())

    def add_exploration_noise(self, act: Any, batch: Any) -> Any:
        """Replace the greedy actions by optimistic ones in a training, and add epsilon-greedy noise."""
        if self.is_within_training_step:
            act = self.optimistic_actions(batch)
        return super().add_exploration_noise(act, batch)
