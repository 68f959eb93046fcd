"""Zero-shot reinforcement learning from reward-free data.

`SuccessorFeatureAgent`  offline algorithm that trains a `SuccessorFeaturePolicy`
`ZeroShotStats`          numbers of an update
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data import ReplayBuffer
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor, nn

from rlpriors.agents.offline.zero_shot.base import FeatureUpdate, TaskFeatures
from rlpriors.agents.offline.zero_shot.networks import SuccessorTwins, to_sphere
from rlpriors.agents.offline.zero_shot.policy import SuccessorFeaturePolicy
from rlpriors.agents.offline.zero_shot.samples import GoalBatch, GoalBuffer
from rlpriors.agents.offline.zero_shot.settings import ZeroShotSettings
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.validation import check_type
from rlpriors.data.fingerprints import store_fingerprint

__all__ = ["SuccessorFeatureAgent", "ZeroShotStats"]


@dataclass(kw_only=True)
class ZeroShotStats(TrainingStats):
    """Numbers of an update of `SuccessorFeatureAgent`."""

    loss: float
    """Sum of the losses of features and successor features."""
    feature_loss: float
    """Loss of the features."""
    successor_loss: float
    """Loss of the successor features."""
    actor_loss: float = 0.0
    """Loss of the policy; 0 for Discrete actions."""


class SuccessorFeatureAgent(WindowAlgorithm[SuccessorFeaturePolicy]):
    """Offline algorithm that learns the features, successor features and policy of all skills together.

    `T(s, z, a)` is the discounted sum of features under the policy of skill z (universal successor features,
    arXiv 1812.07626), and pi(s, z) maximizes `T . z`.  Each update draws new skills: uniform on the sphere,
    or of random observations as goals.  A termination ends the sum, a truncation does not.  The rewards of
    the data are not read.

    Args:
        policy: policy to train.
        optim: factory of the optimizers of features with successor features, and of the policy.
        max_grad_norm: bound on the gradients' norms; None for no bound.
        seed: random seed of batches, skills and noise.

    Raises:
        TypeError: `policy` is not a `SuccessorFeaturePolicy`.

    Example:
        >>> import gymnasium as gym
        >>> import numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> walk = Episode(np.arange(9.0)[:, None], np.full((8, 1), 0.5), *np.zeros((3, 8)))
        >>> data, space = EpisodeStore.from_episodes([walk]), gym.spaces.Box(-1, 1, (1,))
        >>> settings = ZeroShotSettings(dim=2, hidden=(8,))
        >>> policy = SuccessorFeaturePolicy.fit(data, space, settings=settings, device="cpu")
        >>> agent = SuccessorFeatureAgent(policy=policy, optim=AdamOptimizerFactory(lr=1e-3))
        >>> info = agent.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=8, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> policy.reach(goal=np.array([8.0]))
        >>> info.update_step
        5
    """

    target_features: TaskFeatures
    target_successor: SuccessorTwins

    def __init__(
        self,
        *,
        policy: SuccessorFeaturePolicy,
        optim: OptimizerFactory,
        max_grad_norm: float | None = 10.0,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, SuccessorFeaturePolicy, "build one with `SuccessorFeaturePolicy.fit`")
        super().__init__(policy=policy, seed=seed)
        self.target_features = deepcopy(policy.features).requires_grad_(False)
        self.target_successor = deepcopy(policy.successor).requires_grad_(False)
        learned = nn.ModuleList([policy.features, policy.successor])
        self.optim = self._create_optimizer(learned, optim, max_grad_norm=max_grad_norm)
        self.actor_optim = (
            None
            if policy.codes.discrete
            else self._create_optimizer(policy.actor, optim, max_grad_norm=max_grad_norm)
        )

    @property
    def settings(self) -> ZeroShotSettings:
        """Settings of the policy, which a resumed training shares."""
        return self.policy.settings

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """Index transitions and goals of the buffer's episodes, once before training.

        Raises:
            TypeError: `buffer` is a store or something else; `to_buffer` converts a store.
            ValueError: observations or actions do not fit the policy.
            CheckpointError: the training was resumed, and was started with other data.
        """
        store = self._store(cast(ReplayBuffer, buffer))
        self.policy.check_data(store)
        self._set_data(store_fingerprint(store))
        goals = GoalBuffer(store, self.settings.gamma, self.settings.random_goals, self.seed)
        goals.draws = int(self.updates)
        return cast(TBuffer, goals)

    def _update_with_batch(self, batch: Any) -> ZeroShotStats:
        policy, generator = self.policy, self.generator()
        features, successor = policy.features, policy.successor
        rows = self._read(batch)
        features.track(rows.other, first=int(self.updates) == 0)
        with torch.no_grad():
            skill = self._draw_skills(rows, generator)
            next_act = policy.best_actions(features.state(rows.obs_next), skill)
            if not policy.codes.discrete:
                next_act = self._add_noise(next_act, generator)
            next_state = self.target_features.state(rows.obs_next)
            upcoming = self.target_successor.lower(next_state, skill, next_act)
        discount = self.settings.gamma * (~rows.terminated).float()[:, None]
        update = FeatureUpdate(rows, skill, next_act, discount, self.target_features)
        feature_loss = features.loss(update)
        state = features.state(rows.obs)
        predicted = successor(state, skill, rows.act)
        successor_loss = features.successor_loss(predicted, upcoming, update)
        loss = feature_loss + successor_loss
        self.optim.step(loss)
        actor_loss = 0.0
        if self.actor_optim is not None:
            with torch.no_grad():
                state = features.state(rows.obs)
            actor_loss = self._update_actor(rows, state, skill)
        self._update_targets()
        self.updates += 1
        return ZeroShotStats(
            loss=loss.item(),
            feature_loss=feature_loss.item(),
            successor_loss=successor_loss.item(),
            actor_loss=actor_loss,
        )

    def _read(self, batch: Any) -> GoalBatch:
        """Return the batch on the policy's device, with normalized observations and encoded actions."""
        policy = self.policy
        rows = GoalBatch(*(batch[name].to(policy.device) for name in GoalBatch._fields))
        obs, obs_next, goal, other = map(policy.obs, (rows.obs, rows.obs_next, rows.goal, rows.other))
        act = policy.codes(rows.act)
        return rows._replace(obs=obs, act=act, obs_next=obs_next, goal=goal, other=other)

    def _draw_skills(self, rows: GoalBatch, generator: torch.Generator) -> Tensor:
        """Draw a skill for each row: uniform on the sphere, or of a random observation as the goal."""
        n, dim = len(rows.obs), self.policy.features.dim
        uniform = to_sphere(torch.randn(n, dim, generator=generator, device=rows.obs.device))
        of_goals = self.policy.features.directions(rows.other, rows.obs)
        chosen = torch.rand(n, 1, generator=generator, device=rows.obs.device) < self.settings.goal_skills
        return torch.where(chosen, of_goals, uniform)

    def _add_noise(self, act: Tensor, generator: torch.Generator) -> Tensor:
        clip = self.settings.noise_clip
        noise = self.settings.noise * torch.randn(act.shape, generator=generator, device=act.device)
        return (act + noise.clamp(-clip, clip)).clamp(-1, 1)

    def _update_actor(self, rows: GoalBatch, state: Tensor, skill: Tensor) -> float:
        """Raise the values of the policy's actions, in units of their mean size (arXiv 2106.06860)."""
        assert self.actor_optim is not None
        act = self.policy.best_actions(state, skill)
        values = (self.policy.successor.lower(state, skill, act) * skill).sum(-1)
        loss = -values.mean() / values.abs().mean().detach().clamp(min=1e-6)
        if self.settings.bc_weight:
            loss = loss + self.settings.bc_weight * (act - rows.act).square().sum(-1).mean()
        self.actor_optim.step(loss)
        return loss.item()

    @torch.no_grad()
    def _update_targets(self) -> None:
        policy = self.policy
        pairs: tuple[tuple[nn.Module, nn.Module], ...] = (
            (self.target_features, policy.features),
            (self.target_successor, policy.successor),
        )
        for target, online in pairs:
            for mean, new in zip(target.parameters(), online.parameters(), strict=True):
                mean.lerp_(new, self.settings.tau)
            for copy, buffer in zip(target.buffers(), online.buffers(), strict=True):
                copy.copy_(buffer)
