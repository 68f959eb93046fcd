"""Training of the trajectory prior, a diffusion model of possible trajectories.

`TrajectoryDiffusion`       offline algorithm that trains the denoiser of a `DiffuserPolicy`
`TrajectoryDiffusionStats`  training statistics of one update
"""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from torch import Tensor, nn

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.moving_average import MovingAverageAlgorithm
from rlpriors.agents.validation import check_type
from rlpriors.diffusion import ContextDenoiser, denoising_loss
from rlpriors.types import Denoiser, Window

__all__ = ["TrajectoryDiffusion", "TrajectoryDiffusionStats"]


@dataclass(kw_only=True)
class TrajectoryDiffusionStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Mean squared denoising error, in normalized units."""


class TrajectoryDiffusion(MovingAverageAlgorithm[DiffuserPolicy]):
    """Offline algorithm that trains a policy's denoiser on windows (Diffuser, arXiv 2205.09991, eq. 4).

    The optimizer trains a copy of the denoiser; the policy plans with its exponential moving average.

    Args:
        policy: policy whose denoiser is trained.
        optim: factory of the optimizer.
        ema_decay: decay of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        context: function from a batch of raw windows to context vectors [batch, context] for the
            denoiser, a `ContextDenoiser`; for example the return of each window.  The policy's `context`
            selects windows when it plans.
        context_dropout: fraction of the windows trained without context, in [0, 1].
        seed: random seed of batches and noise.

    Raises:
        ValueError: an argument is out of its bounds, or `context` is given without a `ContextDenoiser`.

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
        advice = "build one from a denoiser and `TrajectoryLayout.fit(...)`"
        check_type("policy", policy, DiffuserPolicy, advice)
        super().__init__(policy=policy, seed=seed)
        if not 0 <= context_dropout <= 1:
            raise ValueError(f"`context_dropout` must be in [0, 1]. Received {context_dropout}.")
        if context is not None and not isinstance(policy.denoiser, ContextDenoiser):
            raise ValueError(
                "`context` needs a policy whose denoiser is a `ContextDenoiser`. Received a "
                f"{type(policy.denoiser).__name__}; wrap a network of wider time steps in one."
            )
        self.context, self.context_dropout = context, context_dropout
        self.online = deepcopy(policy.denoiser).requires_grad_(True)
        self._start_training(optim, ema_decay=ema_decay, max_grad_norm=max_grad_norm)

    @property
    def averaged(self) -> nn.Module:
        """Denoiser of the policy."""
        return self.policy.denoiser

    def _update_with_batch(self, batch: Any) -> TrajectoryDiffusionStats:
        policy, generator = self.policy, self.generator()
        window = self.window(batch)
        x = policy.layout.pack(window)
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
            condition=policy.layout.start(window.obs[:, 0]),
            weight=policy.layout.weight(window)[..., None].float(),
        )
        self._optimize(loss)
        return TrajectoryDiffusionStats(loss=loss.item())
