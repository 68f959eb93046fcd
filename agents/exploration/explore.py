"""Algorithms that add a reward of exploration to the environment's.

`Explore`          exploration with any off-policy algorithm (DQN, SAC, TD3, ...)
`ExploreOnPolicy`  exploration with any on-policy algorithm (PPO, A2C, ...)
`ExploreStats`     training statistics of policy and exploration reward
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import (
    Algorithm,
    OffPolicyAlgorithm,
    OnPolicyAlgorithm,
    TrainingStats,
    TrainingStatsWrapper,
)
from tianshou.algorithm.modelfree.dqn import DQN
from tianshou.algorithm.optim import AdamOptimizerFactory, OptimizerFactory
from tianshou.data import ReplayBuffer
from torch import Tensor

from rlpriors.agents.exploration.explore_settings import ExploreSettings
from rlpriors.agents.exploration.new_rows import NewRows
from rlpriors.agents.exploration.optimistic_policy import OptimisticQPolicy
from rlpriors.agents.online.relabel import Relabel, RelabelMixin, RelabelOnPolicy
from rlpriors.agents.resume_inputs import plain_settings
from rlpriors.agents.validation import check_type
from rlpriors.rewards.exploration.base import ExplorationReward
from rlpriors.types import Transition

__all__ = ["Explore", "ExploreOnPolicy", "ExploreStats"]

CHUNK = 4096
"""Rows of a buffer that are counted at once."""


class ExploreStats(TrainingStatsWrapper):
    """Training statistics of the policy, and of the exploration reward's last update."""

    def __init__(self, wrapped: TrainingStats, bonus: float, bonus_loss: float | None) -> None:
        self.bonus = bonus
        """Mean exploration reward of the batch, without its weight."""
        if bonus_loss is not None:
            self.bonus_loss = bonus_loss
        super().__init__(wrapped)  # last: it freezes the attributes


class _ExploreMixin(RelabelMixin):
    """Updates of an exploration reward inside an algorithm."""

    settings: ExploreSettings
    optim: Algorithm.Optimizer | None
    n_observed: Tensor

    def _set_bonus(
        self, bonus: ExplorationReward, settings: ExploreSettings, optim: OptimizerFactory | None
    ) -> None:
        self.settings = settings
        device = next(self.policy.parameters()).device
        self.reward, self.reward_device = bonus.to(device), device
        factory = AdamOptimizerFactory(lr=1e-3) if optim is None else optim
        self.optim = self._create_optimizer(bonus, factory) if bonus.is_trained else None
        self.register_buffer("n_observed", torch.zeros((), dtype=torch.int64))
        self._mean_bonus, self._bonus_loss = 0.0, 0.0

    @property
    def bonus(self) -> ExplorationReward:
        """Reward of exploration, which changes in every update."""
        return cast(ExplorationReward, self.reward)

    def resume_inputs(self) -> dict[str, Any]:
        return {**plain_settings(self.settings), **plain_settings(self.bonus.settings, "bonus.")}

    def _observe(self, batch: Any) -> None:
        step = self.read_transition(batch, self.bonus)
        self.bonus.observe(step.obs, step.act)

    def _learn(self, step: Transition) -> None:
        if self.optim is not None:
            loss = self.bonus.loss(step.obs, step.act, step.obs_next)
            self.optim.step(loss)
            self._bonus_loss = loss.item()

    def _stats(self, wrapped: TrainingStats) -> TrainingStats:
        return ExploreStats(wrapped, self._mean_bonus, None if self.optim is None else self._bonus_loss)


class Explore(_ExploreMixin, Relabel):
    """Off-policy algorithm (DQN, SAC, TD3 and similar) that explores by a reward which it updates.

    Before each update, all steps that the buffer received since the last one are counted by
    `bonus.observe`, each once: a step that is sampled often is not counted again.  Then the weights of the
    bonus are trained on the batch, and `env_weight` * reward + `reward_weight` * bonus is written into the
    buffer for all steps that the targets read, because Tianshou's targets read `buffer.rew`.  After the
    targets are computed, the buffer has the environment's rewards again.

    With `action_weight`, the policy of the algorithm is replaced by an `OptimisticQPolicy`, which adds the
    bonus to the values when it collects.  The bonus in the reward alone spreads slowly by the targets; in the
    choice of actions it has an effect at once.

    A second buffer, as after resuming, is counted from its steps alone.

    Args:
        algorithm: algorithm that learns the policy.
        bonus: reward of exploration, updated in place.
        settings: weights of the bonus, and its training.
        optim: factory of the optimizer of the bonus's weights; Adam with learning rate 1e-3 by default.
        obs_keys: leaves of a Dict observation that the bonus reads; by default its own `obs_keys`.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.rewards import EllipticalBonus, EllipticalSettings
        >>> from tianshou.data import Batch
        >>> dqn = make_algorithm(
        ...     gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(2), AlgorithmSettings("dqn"), device="cpu")
        >>> bonus = EllipticalBonus(EllipticalSettings(obs_dim=2, act_dim=1, n_actions=2))
        >>> algorithm = Explore(dqn, bonus)
        >>> buffer, obs = ReplayBuffer(10), np.array([1.0, 0.0])
        >>> for _ in range(3):
        ...     step = Batch(obs=obs, act=1, rew=0.0, obs_next=obs, terminated=False, truncated=False)
        ...     _ = buffer.add(step)
        >>> algorithm.policy.is_within_training_step = True  # a trainer does this
        >>> for _ in range(5):
        ...     statistics = algorithm.update(buffer, sample_size=4)
        >>> int(bonus.covariance.n_rows), statistics.bonus  # 1 / sqrt(1 + 3)
        (3, 0.5)
        >>> buffer.rew[:3]
        array([0., 0., 0.])

    Raises:
        TypeError: the algorithm is not off-policy, or an argument is of another class.
        ValueError: the bonus is of other actions, or the policy cannot use it in the choice of actions.
    """

    twin = "ExploreOnPolicy"

    def __init__(
        self,
        algorithm: OffPolicyAlgorithm[Any],
        bonus: ExplorationReward,
        *,
        settings: ExploreSettings | None = None,
        optim: OptimizerFactory | None = None,
        obs_keys: Sequence[str] | None = None,
    ) -> None:
        chosen = _check(bonus, settings)
        weight = chosen.action_weight
        if weight is None:
            weight = 1.0 if isinstance(algorithm, DQN) else 0.0
        if weight:
            keys = bonus.obs_keys if obs_keys is None else obs_keys
            algorithm.policy = OptimisticQPolicy(algorithm.policy, bonus, weight, keys)
        super().__init__(algorithm, bonus, obs_keys)
        self._set_bonus(bonus, chosen, optim)
        self._rows, self._was_restored = NewRows(), False

    def resume(self, state: Mapping[str, Any]) -> None:
        """Restore a `resume_state`; the steps of the next buffer are counted anew.

        Raises:
            CheckpointError: the state is of another algorithm, bonus or settings.
        """
        super().resume(state)
        self._rows, self._was_restored = NewRows(), True

    def count(self, buffer: ReplayBuffer) -> int:
        """Count the steps that `buffer` received since the last call; return their number.

        With trained features, all steps are counted again after `rebuild_interval` steps.
        """
        is_first = self._rows._buffer is None
        is_other = not self._rows.is_tracking(buffer) and not (is_first and not self._was_restored)
        new = self._rows.take(buffer)
        before = int(self.n_observed)
        self.n_observed += len(new)
        interval = self.settings.rebuild_interval if self.bonus.is_trained else 0
        is_due = interval > 0 and int(self.n_observed) // interval > before // interval
        if is_other or is_due:
            self.bonus.forget()
        rows = buffer.sample_indices(0) if is_other or is_due else new
        for start in range(0, len(rows), CHUNK):
            self._observe(buffer[rows[start : start + CHUNK]])
        return len(new)

    def relabel(self, buffer: ReplayBuffer, indices: np.ndarray) -> None:
        """Write the weighted sum of both rewards for all steps that the targets at `indices` read."""
        settings = self.settings
        rows = self.target_rows(buffer, indices)
        env_rewards = buffer.rew[rows]
        super().relabel(buffer, indices)
        self._mean_bonus = float(buffer.rew[indices].mean())
        buffer.rew[rows] = settings.env_weight * env_rewards + settings.reward_weight * buffer.rew[rows]

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        self.count(buffer)
        if self.optim is not None:
            further = [buffer.sample(len(indices))[0] for _ in range(self.settings.n_updates - 1)]
            for part in (batch, *further):
                self._learn(self.read_transition(part, self.bonus))
        rows = self.target_rows(buffer, indices)
        env_rewards = buffer.rew[rows]
        try:
            return super()._preprocess_batch(batch, buffer, indices)
        finally:
            buffer.rew[rows] = env_rewards

    def _wrapper_update_with_batch(self, batch: Any, original_stats: TrainingStats) -> TrainingStats:
        return self._stats(original_stats)


class ExploreOnPolicy(_ExploreMixin, RelabelOnPolicy):
    """On-policy algorithm (PPO, A2C and similar) that explores by a reward which it updates.

    Each collection is counted once, then the weights of the bonus are trained on it, and the weighted sum of
    both rewards replaces the rewards of the batch.  Otherwise as `Explore`.

    Args:
        algorithm: algorithm that learns the policy.
        bonus: reward of exploration, updated in place.
        settings: weights of the bonus, and its training; `action_weight` must be None or 0.
        optim: factory of the optimizer of the bonus's weights; Adam with learning rate 1e-3 by default.
        obs_keys: leaves of a Dict observation that the bonus reads; by default its own `obs_keys`.
        seed: random seed of the order of the steps in the training of the bonus.

    Example:
        >>> import gymnasium as gym
        >>> from rlpriors.agents import AlgorithmSettings, make_algorithm
        >>> from rlpriors.rewards import DisagreementReward, DisagreementSettings
        >>> ppo = make_algorithm(
        ...     gym.spaces.Box(-1, 1, (2,)), gym.spaces.Discrete(2), AlgorithmSettings("ppo"), device="cpu")
        >>> reward = DisagreementReward(DisagreementSettings(obs_dim=2, act_dim=1, n_actions=2))
        >>> ExploreOnPolicy(ppo, reward).wrapped_algorithm is ppo
        True

    Raises:
        TypeError: the algorithm is not on-policy, or an argument is of another class.
        ValueError: the bonus is of other actions, or `action_weight` is above 0.
    """

    twin = "Explore"

    def __init__(
        self,
        algorithm: OnPolicyAlgorithm[Any],
        bonus: ExplorationReward,
        *,
        settings: ExploreSettings | None = None,
        optim: OptimizerFactory | None = None,
        obs_keys: Sequence[str] | None = None,
        seed: int = 0,
    ) -> None:
        chosen = _check(bonus, settings)
        if chosen.action_weight:
            raise ValueError(
                "`action_weight` must be None or 0 for an on-policy algorithm, which has no values of "
                f"actions. Received {chosen.action_weight}."
            )
        super().__init__(algorithm, bonus, obs_keys)
        self._set_bonus(bonus, chosen, optim)
        self.seed = seed

    def _preprocess_batch(self, batch: Any, buffer: ReplayBuffer, indices: np.ndarray) -> Any:
        step, env_rewards = self.read_transition(batch, self.bonus), np.asarray(batch.rew)
        self.bonus.observe(step.obs, step.act)
        if self.optim is not None:
            rng = np.random.default_rng((self.seed, int(self.n_observed)))
            size = min(self.settings.batch_size, len(env_rewards))
            for _ in range(self.settings.n_updates):
                chosen = torch.as_tensor(rng.permutation(len(env_rewards))[:size], device=step.obs.device)
                self._learn(Transition(*(part[chosen] for part in step)))
        self.n_observed += len(env_rewards)
        bonus = self.compute_rewards(batch)
        self._mean_bonus = float(bonus.mean())
        batch.rew = self.settings.env_weight * env_rewards + self.settings.reward_weight * bonus
        # Past `RelabelOnPolicy`, which would write the bonus alone.
        return super(RelabelOnPolicy, self)._preprocess_batch(batch, buffer, indices)

    def _wrapper_update_with_batch(
        self, batch: Any, batch_size: int | None, repeat: int, original_stats: TrainingStats
    ) -> TrainingStats:
        return self._stats(original_stats)


def _check(bonus: ExplorationReward, settings: ExploreSettings | None) -> ExploreSettings:
    chosen = ExploreSettings() if settings is None else settings
    check_type("settings", chosen, ExploreSettings, "write ExploreSettings(name=value)")
    check_type("bonus", bonus, ExplorationReward, "an EllipticalBonus or a DisagreementReward is one")
    return chosen
