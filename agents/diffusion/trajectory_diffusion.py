"""Learning the prior: a diffusion model of the trajectories that are possible."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.validation import check_kind
from rlpriors.diffusion import ContextDenoiser, denoising_loss
from rlpriors.types import Denoiser, Window

__all__ = ["TrajectoryDiffusion", "TrajectoryDiffusionStats"]


@dataclass(kw_only=True)
class TrajectoryDiffusionStats(TrainingStats):
    """What one update did."""

    loss: float
    """Mean squared denoising error, in normalized units."""


class TrajectoryDiffusion(WindowAlgorithm[DiffuserPolicy]):
    """Trains a policy's denoiser on the windows of a buffer (Diffuser, arXiv 2205.09991, eq. 4).

    A copy of the denoiser is trained; the policy plans with its exponential moving average.

    Args:
        policy: whose denoiser is learned.
        optim: makes the optimizer.
        ema_decay: of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        context: tells the denoiser, a `ContextDenoiser`, what each raw window is: a vector [batch,
            context] such as the return it reaches; the policy's `context` then asks for windows.
        context_dropout: the part of the windows that is learned without context.
        seed: source of batches and noise.

    Raises:
        ValueError: a bound is passed, or `context` without a denoiser that takes one.

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
        >>> frames = TrajectoryLayout.fit(data, horizon=8)
        >>> policy = DiffuserPolicy(
        ...     denoiser=build_denoiser("mlp", horizon=8, dim=frames.dim), frames=frames, device="cpu",
        ...     process=DiffusionProcess(NoiseSchedule(20)), action_space=gym.spaces.Box(-1, 1, (1,)))
        >>> algorithm = TrajectoryDiffusion(policy=policy, optim=AdamOptimizerFactory())
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> info.update_step
        5
    """

    def __init__(
        self,
        *,
        policy: DiffuserPolicy,
        optim: OptimizerFactory,
        ema_decay: float = 0.998,
        max_grad_norm: float | None = 1.0,
        context: Callable[[Window], Tensor] | None = None,
        context_dropout: float = 0.1,
        seed: int = 0,
    ) -> None:
        check_kind("policy", policy, DiffuserPolicy, "make one of a denoiser and `TrajectoryLayout.fit(...)`")
        super().__init__(policy=policy, seed=seed)
        if not 0 <= ema_decay < 1:
            raise ValueError(f"`ema_decay` must be in [0, 1). Received {ema_decay}.")
        if not 0 <= context_dropout <= 1:
            raise ValueError(f"`context_dropout` must be in [0, 1]. Received {context_dropout}.")
        if context is not None and not isinstance(policy.denoiser, ContextDenoiser):
            raise ValueError(
                "`context` needs a policy whose denoiser is a `ContextDenoiser`. Received a "
                f"{type(policy.denoiser).__name__}; wrap a network of wider frames in one."
            )
        self.context, self.context_dropout = context, context_dropout
        self.online = deepcopy(policy.denoiser).requires_grad_(True)
        policy.denoiser.requires_grad_(False)
        self.optim = self._create_optimizer(self.online, optim, max_grad_norm=max_grad_norm)
        self._average = get_ema_multi_avg_fn(ema_decay)

    def _update_with_batch(self, batch: Any) -> TrajectoryDiffusionStats:
        policy, generator = self.policy, self.generator()
        window = self.window(batch)
        x = policy.frames.pack(window)
        n_times = policy.process.schedule.num_train_timesteps
        t = torch.randint(n_times, (len(x),), generator=generator, device=x.device)
        denoiser: Denoiser = self.online
        if self.context is not None:
            denoiser = cast(ContextDenoiser, self.online).given(
                self.context(window), dropout=self.context_dropout, generator=generator
            )
        loss = denoising_loss(
            policy.process,
            denoiser,
            x,
            t=t,
            noise=torch.randn(x.shape, generator=generator, device=x.device),
            condition=policy.frames.start(window.obs[:, 0]),
            weight=window.mask[..., None].float(),
        )
        self.optim.step(loss)
        with torch.no_grad():
            averaged, online = tuple(policy.denoiser.parameters()), tuple(self.online.parameters())
            self._average(averaged, online, self.updates)
        self.updates += 1
        return TrajectoryDiffusionStats(loss=loss.item())
