"""Adversarial imitation over Tianshou's online algorithms: GAIL, AIRL, DRAIL.

`AdversarialIRL`          a discriminator learns beside any off-policy algorithm (SAC, TD3, DQN, ...)
`AdversarialIRLOnPolicy`  the same beside any on-policy algorithm (PPO, A2C, ...)

Which method it is, is the discriminator: `rewards.GAILReward`, `AIRLReward` or `DRAILReward`.
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
    log_prob,
)
from rlpriors.agents.online.relabel import Relabel, RelabelOnPolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.discriminators import Discriminator

__all__ = ["AdversarialIRL", "AdversarialIRLOnPolicy"]


class AdversarialIRL(DiscriminatorUpdateMixin, Relabel):
    """A discriminator that learns what demonstrations have and the agent has not, and pays it.

    Each update takes the sampled steps of the replay buffer as the agent's own, lets the
    discriminator learn, writes the new rewards into the buffer for all that the targets read
    (`Relabel`), and lets the algorithm learn.  With a `GAILReward` and SAC it is off-policy GAIL
    (DAC, 1809.02925, without its absorbing states), with an `AIRLReward` off-policy AIRL: it pays
    f alone, as the entropy in SAC's own targets stands for - log pi(a|s).

    The discriminator judges (obs, act, obs_next, terminated) in raw units, its normalizer inside,
    as every reward here does: `algorithm.discriminator.save(folder)` publishes it.

    Args:
        algorithm: learns as it would by itself.
        discriminator: learns in place; its form decides the method.
        demonstrations: episodes in raw units (a buffer's actions are taken as they stand).
        optim: makes the discriminator's optimizer.
        settings: how it learns.
        max_grad_norm: clips its gradients; None for never.
        seed: source of the demonstrations drawn and of the discriminator's noise.

    Raises:
        TypeError: the algorithm, the discriminator or the settings are of another class.
        ValueError: the demonstrations are not of the discriminator's sizes, or it needs
            probabilities that the policy does not have.

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
        self.oppose(discriminator, demonstrations, optim, settings, max_grad_norm, seed)

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if self.due():
            more = self.settings.n_discriminator_updates - 1
            own = [batch, *(buffer.sample(len(batch))[0] for _ in range(more))]
            self.learn([self.own(part) for part in own], self.generator())
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return self.stats(original_stats)


class AdversarialIRLOnPolicy(DiscriminatorUpdateMixin, RelabelOnPolicy):
    """The same beside an on-policy algorithm: GAIL and AIRL as they were published (there TRPO).

    After each collection the discriminator learns from it, then the algorithm from the
    discriminator's rewards.

    With an `AIRLReward` these are log D - log(1 - D) = f - log pi(a|s) (1710.11248, algorithm 1):
    an algorithm without entropy in its returns needs the second term, or nothing would keep its
    policy from collapsing to the peak of f.  Leave the entropy bonus of PPO and A2C at 0 then, or
    it is counted twice.

    Args:
        algorithm: learns as it would by itself.
        discriminator: learns in place; its form decides the method.
        demonstrations: episodes in raw units (a buffer's actions are taken as they stand).
        optim: makes the discriminator's optimizer.
        settings: how it learns; by default eight updates for each collection.
        max_grad_norm: clips its gradients; None for never.
        seed: source of the steps drawn and of the discriminator's noise.

    Raises:
        TypeError: the algorithm, the discriminator or the settings are of another class.
        ValueError: the demonstrations are not of the discriminator's sizes, or it needs
            probabilities that the policy does not have.

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
        self.oppose(discriminator, demonstrations, optim, settings, max_grad_norm, seed)

    def judge(self, batch: Any) -> Float[np.ndarray, " batch"]:
        """The reward of each step of `batch`, for AIRL less its log-probability."""
        rewards = super().judge(batch)
        if not self.discriminator.subtracts_log_prob:
            return rewards
        own = self.own(batch)
        said = log_prob(self.policy, own.obs, own.act, self.settings.action_margin)
        return np.asarray(rewards - said.double().cpu().numpy())

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        if self.due():
            own = [self.own(batch)] * self.settings.n_discriminator_updates
            self.learn(own, self.generator())
        return super()._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return self.stats(original_stats)
