"""Learning the reward: what must be added to the prior to behave as the demonstrations do.

Let p_B(tau | s_0) be the prior over windows and J(tau) the sum of the reward over a window.  The
model is p(tau | s_0) proportional to p_B(tau | s_0) exp(J(tau)).  Raising the likelihood of the
demonstrations gives the maximum-entropy gradient (Ziebart et al. 2008; Finn et al. 2016, arXiv
1603.00448, eq. 3)

    E_{demonstrations}[grad J] - E_{p}[grad J],

a contrast between the demonstrations and samples of the model from the same start states.  Those
samples come from guiding the prior by the reward learned so far, in a few denoising steps: an
approximation of p.  No gradient passes through the sampler.
"""

import logging
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from tianshou.data.buffer.buffer_base import TBuffer
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.diffuser import DiffuserPolicy
from rlpriors.agents.windows import WindowAlgorithm, WindowBuffer
from rlpriors.diffusion import Planner
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.losses import contrastive_loss, gradient_penalty

_log = logging.getLogger(__name__)

__all__ = ["DiffusionIRL", "DiffusionIRLSettings", "DiffusionIRLStats"]


@dataclass(frozen=True)
class DiffusionIRLSettings:
    """How the reward is learned."""

    gradient_penalty: float = 0.002
    """Weight of |dJ/dx|^2 on windows between demonstrations and samples: what keeps the reward
    smooth enough to guide by.  0 may let it grow without bound; too much makes it too flat."""

    magnitude_penalty: float = 1e-4
    """Weight of r^2 on windows drawn evenly over the normalised range."""

    ema_decay: float = 0.95
    """Of the averaged reward, which guides the samples and is the one that is published."""

    replay_size: int = 512
    """Past samples that are kept."""

    replay_fraction: float = 0.25
    """Part of each batch's samples that is drawn from the past ones instead."""

    def __post_init__(self) -> None:
        for name in ("gradient_penalty", "magnitude_penalty"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        if not 0 <= self.ema_decay < 1:
            raise ValueError(f"`ema_decay` must be in [0, 1). Received {self.ema_decay}.")
        if self.replay_size < 1:
            raise ValueError(f"`replay_size` must be at least 1. Received {self.replay_size}.")
        if not 0 <= self.replay_fraction <= 1:
            raise ValueError(f"`replay_fraction` must be in [0, 1]. Received {self.replay_fraction}.")


@dataclass(kw_only=True)
class DiffusionIRLStats(TrainingStats):
    """What one update did; rewards are means a frame."""

    loss: float
    demonstration_reward: float
    sample_reward: float
    reward_gap: float
    """Demonstrations' minus samples' reward: near 0 when guided samples are as good."""
    gradient_penalty: float


class DiffusionIRL(WindowAlgorithm):
    """Learns a reward from demonstrations and a frozen prior.

    Train the policy's denoiser first (`TrajectoryDiffusion`), then give this algorithm the
    demonstrations as `OfflineTrainerParams(buffer=...)`.  When it is done, `policy.reward` is the
    averaged reward, and the policy plans by it.

    Args:
        policy: the planning policy; its denoiser is frozen from here on.
        reward: the model that is learned, in raw units.
        optim: makes the optimiser.
        settings: how it is learned.
        max_start: use only demonstration windows that start in the first steps of an episode.
            Long stays at the end of a demonstration otherwise fill most batches.
        max_grad_norm: bound on the gradient's norm; None for no bound.
        seed: source of batches and noise.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.agents import DiffuserPolicy, Frames
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> from rlpriors.diffusion import DiffusionProcess, NoiseSchedule
        >>> from rlpriors.networks import build_denoiser
        >>> walk = Episode(np.arange(20.0)[:, None], np.ones((19, 1)), *np.zeros((3, 19)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> frames = Frames.fit(data, horizon=8)
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=frames.dim), frames=frames, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-1, 1, (1,)))
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1), frames.normaliser)
        >>> algorithm = DiffusionIRL(policy=policy, reward=reward, optim=AdamOptimizerFactory(5e-3))
        >>> info = algorithm.run_training(OfflineTrainerParams(  # the demonstrations
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> policy.reward is algorithm.reward
        True
    """

    replay: Tensor
    replayed: Tensor

    def __init__(
        self,
        *,
        policy: DiffuserPolicy,
        reward: RewardModel,
        optim: OptimizerFactory,
        settings: DiffusionIRLSettings | None = None,
        max_start: int | None = None,
        max_grad_norm: float | None = 1.0,
        seed: int = 0,
    ) -> None:
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        self.settings = settings or DiffusionIRLSettings()
        policy.denoiser.requires_grad_(False)
        self.online = reward.to(policy.device)
        self.reward = deepcopy(self.online).requires_grad_(False)
        policy.reward = self.reward
        self.optim = self._create_optimizer(self.online, optim, max_grad_norm=max_grad_norm)
        self._average = get_ema_multi_avg_fn(self.settings.ema_decay)
        frames = policy.frames
        shape = (self.settings.replay_size, frames.horizon, frames.dim)
        self.register_buffer("replay", torch.zeros(shape, device=policy.device))
        self.register_buffer("replayed", torch.zeros((), dtype=torch.int64))

    def process_buffer(self, buffer: TBuffer) -> TBuffer:
        """As every window algorithm; and the reward must take such observations and actions."""
        frames = self.policy.frames
        if (self.online.obs_dim, self.online.act_dim) != (frames.obs_dim, frames.act.dim):
            raise ValueError(
                f"`reward` takes observations of {self.online.obs_dim} entries and actions of "
                f"{self.online.act_dim}, but the policy's `frames` hold {frames.obs_dim} and "
                f"{frames.act.dim}. Build the reward for these sizes."
            )
        reads = set(getattr(self.online.settings, "inputs", ("obs",))) - {"obs"}
        if frames.stride > 1 and reads:
            _log.warning(
                "The reward reads %s, and is learned from frames of %d steps (their mean action, the "
                'observation %d steps later); judging single steps it sees other numbers. Read "obs" alone, '
                "or take frames of one step.",
                " and ".join(sorted(reads)),
                frames.stride,
                frames.stride,
            )
        windows = super().process_buffer(buffer)
        if isinstance(windows, WindowBuffer) and windows.store.terminated.any():
            _log.warning(
                "Demonstrations end by termination. The reward's zero is arbitrary: where it is positive, an "
                "agent may prefer to go on rather than to finish. Learn and use it with episodes of a fixed "
                "length, or shift it."
            )
        return windows

    def _update_with_batch(self, batch: Any) -> DiffusionIRLStats:
        frames, settings, generator = self.policy.frames, self.settings, self.generator()
        window = self.window(batch)
        expert = frames.pack(window)
        samples = self._with_replay(self._sample(window.obs[:, 0], generator), generator)
        demonstrated = frames.rewards(self.online, expert)
        sampled = frames.rewards(self.online, samples)
        penalty = gradient_penalty(frames.value(self.online), expert, samples, generator)
        anywhere = 2 * torch.rand(expert.shape, generator=generator, device=expert.device) - 1
        loss = (
            contrastive_loss(demonstrated, sampled)
            + settings.gradient_penalty * penalty
            + settings.magnitude_penalty * frames.rewards(self.online, anywhere).square().mean()
        )
        self.optim.step(loss)
        with torch.no_grad():
            averaged, online = tuple(self.reward.parameters()), tuple(self.online.parameters())
            self._average(averaged, online, self.updates)
        self.updates += 1
        good, bad = demonstrated.mean().item(), sampled.mean().item()
        return DiffusionIRLStats(
            loss=loss.item(),
            demonstration_reward=good,
            sample_reward=bad,
            reward_gap=good - bad,
            gradient_penalty=penalty.item(),
        )

    def _sample(
        self, obs: Float[Tensor, "batch obs"], generator: torch.Generator
    ) -> Float[Tensor, "batch horizon dim"]:
        """One guided window from each start.  Ranking candidates here would make the samples as
        good as the demonstrations too soon, and the contrast that teaches the reward would end.
        """
        policy = self.policy
        settings = replace(policy.planner, n_candidates=1, warm_start=0.0, likelihood_weight=0.0)
        planner = Planner(policy.process, policy.denoiser, settings)
        value = policy.frames.value(self.reward)
        return planner.plan(policy.frames.start(obs), value, generator=generator).window

    def _with_replay(
        self, samples: Float[Tensor, "batch horizon dim"], generator: torch.Generator
    ) -> Float[Tensor, "batch horizon dim"]:
        """Keep the new samples, and put past ones in the place of some of them."""
        n, size, kept = len(samples), len(self.replay), int(self.replayed)
        mixed = samples.clone()
        n_old = round(self.settings.replay_fraction * n)
        if kept and n_old:
            rows = torch.randint(min(kept, size), (n_old,), generator=generator, device=samples.device)
            mixed[:n_old] = self.replay[rows]
        slots = torch.arange(kept, kept + min(n, size), device=samples.device) % size
        self.replay[slots] = samples[: len(slots)]
        self.replayed += len(slots)
        return mixed
