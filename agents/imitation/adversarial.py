"""Adversarial imitation with Tianshou's online algorithms: GAIL, AIRL, DRAIL.

`AdversarialIRL`          adversarial imitation with any off-policy algorithm (SAC, TD3, DQN, ...)
`AdversarialIRLOnPolicy`  adversarial imitation with any on-policy algorithm (PPO, A2C, ...)

The class of the discriminator selects the method: `rewards.GAILReward`, `AIRLReward` or `DRAILReward`.
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm, OnPolicyAlgorithm, TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer

from rlpriors.agents.imitation.discriminator_update import (
    AdversarialSettings,
    DiscriminatorUpdateMixin,
    check_discriminator,
)
from rlpriors.agents.imitation.log_prob import log_prob
from rlpriors.agents.online.relabel import Relabel, RelabelOnPolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.discriminators import Discriminator

__all__ = ["AdversarialIRL", "AdversarialIRLOnPolicy"]


class AdversarialIRL(DiscriminatorUpdateMixin, Relabel):
    """Off-policy adversarial imitation: a discriminator trained on demonstrations gives the reward.

    Each update takes the sampled steps of the replay buffer as the agent's, updates the discriminator,
    writes the new rewards into the buffer for all steps that the targets read (`Relabel`), and updates
    the algorithm.  With a `GAILReward` and SAC it is off-policy GAIL (DAC, 1809.02925, without its
    absorbing states), with an `AIRLReward` off-policy AIRL.  The reward of AIRL is then f alone, because
    the entropy in SAC's targets replaces - log pi(a|s): exactly so if `AdversarialSettings.temperature` and
    SAC's fixed alpha are equal.

    The discriminator scores (obs, act, obs_next, terminated) in raw units with its own normalizer, like
    every reward of this library; `algorithm.discriminator.save(folder)` saves it.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        discriminator: discriminator, trained in place; its class selects the method.
        demonstrations: episodes in raw units, or a buffer that `to_buffer` made of them.
        optim: factory of the discriminator's optimizer.
        settings: settings of the discriminator's training.
        max_grad_norm: bound on its gradient's norm; None for no bound.
        seed: random seed of the sampled demonstrations and the discriminator's noise.

    Raises:
        TypeError: the algorithm, the discriminator or the settings are of another class.
        ValueError: the demonstrations are not of the discriminator's sizes or not in the policy's action
            space, or the discriminator needs probabilities that the policy does not have.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.algorithm import DQN
        >>> from tianshou.algorithm.modelfree.dqn import DiscreteQLearningPolicy
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.utils.net.common import Net
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import GAILReward, GAILSettings
        >>> net, actions = Net(state_shape=1, action_shape=2, hidden_sizes=[8]), gym.spaces.Discrete(2)
        >>> policy = DiscreteQLearningPolicy(model=net, action_space=actions)
        >>> right = Episode(np.arange(5.0)[:, None], np.ones(4, int), *np.zeros((3, 4)))
        >>> algorithm = AdversarialIRL(
        ...     DQN(policy=policy, optim=AdamOptimizerFactory()),
        ...     discriminator=GAILReward(GAILSettings(obs_dim=1, act_dim=1, n_actions=2)),
        ...     demonstrations=EpisodeStore.from_episodes([right]), optim=AdamOptimizerFactory(3e-4))
        >>> algorithm.demonstrations.obs.shape
        torch.Size([4, 1])
    """

    twin = "AdversarialIRLOnPolicy"

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        *,
        discriminator: Discriminator,
        demonstrations: EpisodeStore | ReplayBuffer,
        optim: OptimizerFactory,
        settings: AdversarialSettings | None = None,
        max_grad_norm: float | None = None,
        seed: int = 0,
    ) -> None:
        check_discriminator(discriminator)
        super().__init__(algorithm, discriminator.training_reward, discriminator.obs_keys)
        self.set_discriminator(discriminator, demonstrations, optim, settings, max_grad_norm, seed)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if self.update_due():
            n_further = self.settings.n_discriminator_updates - 1
            batches = [batch, *(buffer.sample(len(batch))[0] for _ in range(n_further))]
            self.update_discriminator([self.agent_transitions(part) for part in batches], self.generator())
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return self.stats(original_stats)


class AdversarialIRLOnPolicy(DiscriminatorUpdateMixin, RelabelOnPolicy):
    """On-policy adversarial imitation: GAIL and AIRL as published (there with TRPO).

    After each collection the discriminator is trained on the collected steps, then the algorithm on the
    discriminator's rewards.

    With an `AIRLReward` these are log D - log(1 - D) = f - log pi(a|s) (1710.11248, algorithm 1), times the
    temperature if one is set.  An algorithm without entropy in its returns needs the second term: without it
    the policy collapses to the peak of f.  Leave the entropy bonus of PPO and A2C at 0 then, or it is counted
    twice.

    Args:
        algorithm: algorithm that learns the policy, unchanged.
        discriminator: discriminator, trained in place; its class selects the method.
        demonstrations: episodes in raw units, or a buffer that `to_buffer` made of them.
        optim: factory of the discriminator's optimizer.
        settings: settings of the discriminator's training; by default eight updates per collection.
        max_grad_norm: bound on its gradient's norm; None for no bound.
        seed: random seed of the sampled steps and the discriminator's noise.

    Raises:
        TypeError: the algorithm, the discriminator or the settings are of another class.
        ValueError: the demonstrations are not of the discriminator's sizes or not in the policy's action
            space, or the discriminator needs probabilities that the policy does not have.

    Example:
        >>> import gymnasium as gym
        >>> from tianshou.algorithm import Reinforce
        >>> from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.utils.net.discrete import DiscreteActor
        >>> from tianshou.utils.net.common import Net
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import AIRLReward, AIRLSettings
        >>> actor = DiscreteActor(preprocess_net=Net(state_shape=1, hidden_sizes=[8]), action_shape=2)
        >>> policy = DiscreteActorPolicy(actor=actor, action_space=gym.spaces.Discrete(2))
        >>> right = Episode(np.arange(5.0)[:, None], np.ones(4, int), *np.zeros((3, 4)))
        >>> algorithm = AdversarialIRLOnPolicy(
        ...     Reinforce(policy=policy, optim=AdamOptimizerFactory()),
        ...     discriminator=AIRLReward(AIRLSettings(obs_dim=1, act_dim=1, n_actions=2)),
        ...     demonstrations=EpisodeStore.from_episodes([right]), optim=AdamOptimizerFactory(3e-4))
        >>> algorithm.settings.n_discriminator_updates
        8
    """

    twin = "AdversarialIRL"

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        *,
        discriminator: Discriminator,
        demonstrations: EpisodeStore | ReplayBuffer,
        optim: OptimizerFactory,
        settings: AdversarialSettings | None = None,
        max_grad_norm: float | None = None,
        seed: int = 0,
    ) -> None:
        check_discriminator(discriminator)
        super().__init__(algorithm, discriminator.training_reward, discriminator.obs_keys)
        settings = AdversarialSettings(n_discriminator_updates=8) if settings is None else settings
        self.set_discriminator(discriminator, demonstrations, optim, settings, max_grad_norm, seed)

    def compute_rewards(self, batch: Any) -> Float[np.ndarray, " batch"]:
        """Compute the reward of each step of `batch`; for AIRL, minus the action's log-probability."""
        rewards = super().compute_rewards(batch)
        if not self.discriminator.subtracts_log_prob:
            return rewards
        agent = self.agent_transitions(batch)
        log_probs = log_prob(self.policy, agent.obs, agent.act, self.settings.action_margin)
        return np.asarray(rewards - self.temperature * log_probs.double().cpu().numpy())

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if self.update_due():
            batches = [self.agent_transitions(batch)] * self.settings.n_discriminator_updates
            self.update_discriminator(batches, self.generator())
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return self.stats(original_stats)
