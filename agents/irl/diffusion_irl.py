"""Inverse reinforcement learning with a diffusion prior: the reward behind demonstrations.

`DiffusionIRL`          offline algorithm that learns a reward from demonstrations and a frozen prior
`DiffusionIRLSettings`  settings of `DiffusionIRL` that do not depend on the objective
`DiffusionIRLStats`     training statistics of one update

The objective (`objectives`) defines the loss.  This module defines the rest of the training: the prior is
frozen, penalties keep the reward smooth and bounded, its moving average guides samples and is saved, and
one objective may be a warm start for the next.
"""

from collections.abc import Sequence
from copy import deepcopy
from typing import Any, cast

import numpy as np
import torch
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.irl.horizon_check import check_guided_ends, check_horizons
from rlpriors.agents.irl.objective_schedule import ObjectiveSchedule
from rlpriors.agents.irl.objectives import InputPerturbation, Objective, ObjectiveInput
from rlpriors.agents.irl.order_accuracy import goal_entries, progresses
from rlpriors.agents.irl.penalties import add_penalties, window_variation
from rlpriors.agents.irl.progress import movement_weights
from rlpriors.agents.irl.reference import ReferenceLike, ReferenceWindows, parse_reference
from rlpriors.agents.irl.reward_checks import check_layout, check_observations, check_trainable, fixed_inputs
from rlpriors.agents.irl.settings import DiffusionIRLSettings, DiffusionIRLStats
from rlpriors.agents.irl.way_losses import WayLosses
from rlpriors.agents.moving_average import MovingAverageAlgorithm
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.agents.seeding import update_seed
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.trajectory_value import TrajectoryValue

__all__ = ["DiffusionIRL", "DiffusionIRLSettings", "DiffusionIRLStats"]

_PROGRESS_WEIGHT = 5.0  # of demonstrations that progress


class DiffusionIRL(MovingAverageAlgorithm[DiffuserPolicy]):
    """Offline algorithm that learns a reward from demonstrations and a frozen prior.

    Train the policy's denoiser first (`TrajectoryDiffusion`), then give this algorithm the
    demonstrations as `OfflineTrainerParams(buffer=...)`.  After training, `policy.reward` is the averaged
    reward and the policy plans with it.

    Args:
        policy: planning policy; this algorithm freezes its denoiser.
        reward: reward model to train, in raw units; or a `TrajectoryValue` of normalized windows.
        optim: factory of the optimizer.
        objective: objective of the training: a key of `objectives.OBJECTIVES`, or settings of one.
        prior_data: data that the prior was trained on.  Some objectives need it.  All benefit from it: the
            temporal variation of each entry is computed from it instead of from few demonstrations.
        reference: negatives, which demonstrations are compared with (`reference.Reference`): "guided"
            samples, "prior_data", an agent's "rollouts", any store or buffer, or a sequence of (source,
            weight).  They decide what the reward is about: against data of a good learner it pays for the
            remaining difference only, against random play for everything that takes skill.  The default is
            the prior's data for "contrastive" (guided samples without `prior_data`), "density_ratio" and
            "relative", and guided samples for "sampler_backprop".  The prior's data needs no sampling.  Where
            observations contain a goal of each episode and none ends by termination, "contrastive" takes
            guided samples, which share the goals of demonstrations.
        warm_start: earlier objectives, each with its number of updates.
        settings: settings that do not depend on the objective.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: random seed of batches and noise.

    Raises:
        TypeError: the policy, the reward or the settings are of another class.
        ValueError: the reward reads actions of another space, an objective needs `prior_data` or does not
            support the settings' perturbation, or a warm start is not a pair.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.agents import DiffuserPolicy, TrajectoryLayout
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> walk = Episode(np.arange(20.0)[:, None], np.ones((19, 1)), *np.zeros((3, 19)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> layout = TrajectoryLayout.fit(data, horizon=8)
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=layout.dim), layout=layout, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-1, 1, (1,)))
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1), layout.normalizer)
        >>> algorithm = DiffusionIRL(policy=policy, reward=reward, optim=AdamOptimizerFactory(1e-2))
        >>> info = algorithm.run_training(OfflineTrainerParams(  # the demonstrations
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> policy.reward is algorithm.reward
        True
    """

    online: RewardModel | TrajectoryValue
    temporal_variation: Tensor

    def __init__(
        self,
        *,
        policy: DiffuserPolicy,
        reward: RewardModel | TrajectoryValue,
        optim: OptimizerFactory,
        objective: object = "contrastive",
        prior_data: ReplayBuffer | EpisodeStore | None = None,
        reference: ReferenceLike | None = None,
        warm_start: Sequence[Any] = (),
        settings: DiffusionIRLSettings | None = None,
        max_grad_norm: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        advice = "build one from a denoiser and `TrajectoryLayout.fit(...)`"
        check_type("policy", policy, DiffuserPolicy, advice)
        check_trainable(reward)
        settings = DiffusionIRLSettings() if settings is None else settings
        check_type("settings", settings, DiffusionIRLSettings, "write DiffusionIRLSettings(name=value)")
        super().__init__(policy=policy, seed=seed)
        self.settings = settings
        policy.denoiser.requires_grad_(False)
        self.online = reward.to(policy.device)
        check_observations(reward, policy.layout.obs_shape, policy.obs_layout, "the policy")
        self.reward = deepcopy(self.online)
        policy.reward = self.reward
        self.prior_data = None if prior_data is None else self._prior_windows(prior_data)
        self.reference = (
            None
            if reference is None
            else ReferenceWindows(parse_reference(reference), self._reference_windows, self._pack)
        )
        self._perturbation = InputPerturbation(settings.input_noise, settings.marginal_actions)
        self.objectives = ObjectiveSchedule(
            objective, warm_start, policy, self._perturbation, self.prior_data is not None, self.reference
        )
        self._start_training(
            optim,
            ema_decay=settings.ema_decay,
            max_grad_norm=max_grad_norm,
            trained=nn.ModuleList([self.online, *self.objectives]),
        )
        self.register_buffer("temporal_variation", torch.zeros(policy.layout.dim, device=policy.device))

    def resume_inputs(self) -> dict[str, Any]:
        parts = self.online, self.objectives.objectives, self.policy.denoiser, self.prior_data
        inputs = super().resume_inputs() | fixed_inputs(*parts)
        return inputs if self.reference is None else inputs | {"reference": self.reference.resume_inputs()}

    def set_rollouts(self, rollouts: EpisodeStore) -> None:
        """Set the episodes of the source "rollouts" among the negatives.

        Raises:
            ValueError: the reference has no such source, or the episodes do not fit the policy's windows.
        """
        if self.reference is None or "rollouts" not in self.reference.names:
            raise ValueError(
                '`reference` must contain "rollouts" to take an agent\'s episodes. Received '
                f"{None if self.reference is None else list(self.reference.names)}; create the algorithm "
                'with reference="rollouts".'
            )
        self.reference.set_rollouts(rollouts)

    @property
    def averaged(self) -> nn.Module:
        """Averaged reward, which guides the policy."""
        return self.reward

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Cut the demonstrations into windows, check them and prepare the objectives.

        Raises:
            ValueError: the data does not have the sizes of the policy and the reward, or ends by termination
                without absorbing states (`horizon_check`).
        """
        per_step = {name: getattr(self.settings, name) for name in ("slowness_penalty", "progress_weight")}
        check_layout(self.online, self.policy.layout, **per_step)
        windows = cast(WindowBuffer, super().process_buffer(buffer))
        for reward in (self.online, self.reward):
            check_observations(reward, windows.store.obs.shape[1:], self.policy.obs_layout, "the buffer")
        for objective in self.objectives.objectives:
            objective.prepare(self.policy, windows, self.prior_data)
        settings = self.settings
        is_weighted = settings.gradient_penalty > 0 and settings.temporal_variation_exponent > 0
        if (is_weighted or settings.movement_fraction > 0) and not self.temporal_variation.any():
            data = windows if self.prior_data is None else self.prior_data
            self.temporal_variation.copy_(self._measure_variation(data))
        if settings.movement_fraction > 0:
            fraction, layout = settings.movement_fraction, self.policy.layout
            windows.set_probabilities(movement_weights(windows, layout, self.temporal_variation, fraction))
        self._has_goals = len(goal_entries(windows.store)) > 0
        self._progresses = self._find_progress(windows)
        self._way_losses = self._make_way_losses(windows)
        check_horizons(windows.store, self.policy.layout, self.settings.allow_variable_horizon)
        check_guided_ends(windows.store, self.policy.layout, self.objectives.are_guided(self._has_goals))
        return cast(TBuffer, windows)

    def _find_progress(self, demonstrations: WindowBuffer) -> bool | None:
        """Return True if the demonstrations progress; None if that is unknown or nothing depends on it."""
        by_order = self.settings.progress_weight is None or any(
            objective.depends_on_progress for objective in self.objectives.objectives
        )
        if not by_order or isinstance(self.online, TrajectoryValue):
            return None
        return progresses(demonstrations, self.policy.layout, self._variation_of(demonstrations), self.seed)

    def _variation_of(self, demonstrations: WindowBuffer) -> Tensor:
        """Return the temporal variation of the data, or that of the demonstrations if it is not used."""
        variation = self.temporal_variation
        return variation if variation.any() else self._measure_variation(demonstrations)

    def _make_way_losses(self, demonstrations: WindowBuffer) -> WayLosses | None:
        """Return the losses of ways, or None if their weight is 0 or the demonstrations do not progress."""
        weight = self.settings.progress_weight
        reads_rewards = any(objective.evaluates_reward for objective in self.objectives.objectives)
        if isinstance(self.online, TrajectoryValue) or weight == 0 or (weight is None and not reads_rewards):
            return None
        if weight is None:
            # Ways compare states of one episode, so the contrast alone decides about goals of episodes.  It
            # would raise the reward of the demonstrated goals if negatives had others.
            if self._has_goals and not self.objectives.are_guided(self._has_goals):
                return None
            # Rewards along ways have an arbitrary zero, and with absorbing states the zero decides which ends
            # an agent looks for.
            weight = _PROGRESS_WEIGHT if self._progresses and not self.policy.layout.absorbing else 0.0
        if weight == 0:
            return None
        layout, variation = self.policy.layout, self._variation_of(demonstrations)
        weights = {
            "progress_weight": weight,
            "path_weight": self.settings.path_penalty,
            "rest_weight": self.settings.rest_penalty,
        }
        return WayLosses(demonstrations, self.prior_data, layout, variation, **weights)

    def _measure_variation(self, windows: WindowBuffer) -> Tensor:
        return window_variation(windows, self.policy.layout, self.seed, self.policy.device)

    def _update_with_batch(self, batch: Any) -> DiffusionIRLStats:
        layout, generator = self.policy.layout, self.generator()
        window = self.window(batch)
        expert = layout.pack(window)
        objective, step = self.objectives.at(int(self.updates))
        loss, samples, stats = objective(
            ObjectiveInput(
                policy=self.policy,
                online=self.online,
                averaged=self.reward,
                window=window,
                expert=expert,
                sample_prior_data=None if self.prior_data is None else self._sample_prior_data,
                generator=generator,
                step=step,
                perturbation=self._perturbation,
                reference=self.reference,
                n_updates=int(self.updates),
                has_goals=self._has_goals,
                progresses=self._progresses,
            )
        )
        with torch.no_grad():
            expert_reward = layout.rewards(self.online, expert).mean().item()
            sample_reward = layout.rewards(self.online, samples).mean().item()
        loss, penalty = add_penalties(
            loss,
            self.online,
            layout,
            self.settings,
            expert=expert,
            samples=samples,
            variation=self.temporal_variation,
            sample_data=None if self.prior_data is None else self._sample_prior_data,
            generator=generator,
        )
        loss, progress = self._add_progress(loss, objective, 4 * len(expert))
        if not loss.isfinite():
            raise FloatingPointError(
                f"The reward's loss is {loss.item()} in update {int(self.updates)}. Take a smaller learning "
                "rate, or raise `gradient_penalty`."
            )
        self._optimize(loss)
        return DiffusionIRLStats(
            loss=loss.item(),
            demonstration_reward=expert_reward,
            sample_reward=sample_reward,
            reward_gap=expert_reward - sample_reward,
            progress_loss=progress,
            gradient_penalty=penalty,
            objective=stats,
        )

    def _add_progress(self, loss: Tensor, objective: Objective, n: int) -> tuple[Tensor, float]:
        """Add the losses of ways on `n` pairs to `loss`; return the progress loss before its weight too."""
        is_used = self.settings.progress_weight is not None or objective.evaluates_reward
        if self._way_losses is None or not is_used or isinstance(self.online, TrajectoryValue):
            return loss, 0.0
        rng = np.random.default_rng((update_seed(self.seed, int(self.updates)), 1))
        way_loss, progress = self._way_losses(self.online, n, rng)
        return loss + way_loss, progress

    def _reference_windows(self, data: ReplayBuffer | EpisodeStore, number: int) -> WindowBuffer:
        windows = self._prior_windows(data)
        windows.seed = update_seed(self.seed, number)  # sources of the same data draw different windows
        return windows

    def _pack(self, batch: Any) -> Tensor:
        return self.policy.layout.pack(self.window(batch))

    def _prior_windows(self, data: ReplayBuffer | EpisodeStore) -> WindowBuffer:
        store = data if isinstance(data, EpisodeStore) else self._store(data)
        self.policy.check_data(store)
        layout = self.policy.layout
        return WindowBuffer(store, layout.horizon, layout.stride, None, self.seed, absorbing=layout.absorbing)

    def _sample_prior_data(self, n: int) -> Tensor:
        """Sample windows of the prior's data, a function of the seed and the update's number only."""
        assert self.prior_data is not None
        self.prior_data.draws = int(self.updates)
        return self._pack(self.prior_data.sample(n)[0])
