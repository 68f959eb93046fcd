"""Training of diffusion policies: behavior cloning of action chunks.

`DiffusionCloning`       offline algorithm that trains a `DiffusionPolicy` on demonstrations
`DiffusionCloningStats`  training statistics of one update

`trajectory_diffusion` trains a model of whole trajectories, observations included.  This algorithm
trains a model of the demonstrators' next actions only.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from torch import nn

from rlpriors.agents.diffusion.diffusion_policy import DiffusionPolicy
from rlpriors.agents.moving_average import MovingAverageAlgorithm
from rlpriors.agents.validation import check_type
from rlpriors.diffusion import denoising_loss

__all__ = ["DiffusionCloning", "DiffusionCloningStats"]


@dataclass(kw_only=True)
class DiffusionCloningStats(TrainingStats):
    """Training statistics of one update."""

    loss: float
    """Mean squared denoising error of actions, in normalized units."""


class DiffusionCloning(MovingAverageAlgorithm[DiffusionPolicy]):
    """Offline algorithm that trains a `DiffusionPolicy` on windows (arXiv 2303.04137, eq. 5).

    The optimizer trains a copy of the denoiser; the policy acts with its exponential moving average.
    Every step of the data begins a chunk.  Actions beyond the end of an episode have weight 0 in the
    loss.  Training resumes bit-equal.

    Args:
        policy: policy to train.
        optim: factory of the optimizer.
        ema_decay: decay of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        max_start: number of first steps of an episode in which a chunk may start; None for all.
        seed: random seed of batches and noise.

    Example:
        >>> import gymnasium as gym, numpy as np
        >>> from tianshou.algorithm.optim import AdamOptimizerFactory
        >>> from tianshou.trainer import OfflineTrainerParams
        >>> from rlpriors.data import Episode, EpisodeStore
        >>> from rlpriors.data.buffers import to_buffer
        >>> walk = Episode(np.arange(9.0)[:, None], np.ones((8, 1)), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> policy = DiffusionPolicy.fit(data, gym.spaces.Box(-1, 1, (1,)), horizon=4, device="cpu")
        >>> algorithm = DiffusionCloning(policy=policy, optim=AdamOptimizerFactory())
        >>> info = algorithm.run_training(OfflineTrainerParams(
        ...     buffer=to_buffer(data), batch_size=16, max_epochs=1, epoch_num_steps=5,
        ...     show_progress=False, verbose=False))
        >>> info.update_step
        5
    """

    pad = True

    def __init__(
        self,
        *,
        policy: DiffusionPolicy,
        optim: OptimizerFactory,
        ema_decay: float = 0.995,
        max_grad_norm: float | None = 1.0,
        max_start: int | None = None,
        seed: int = 0,
    ) -> None:
        check_type("policy", policy, DiffusionPolicy, "build one with `DiffusionPolicy.fit`")
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        self.online = deepcopy(policy.denoiser).requires_grad_(True)
        self._start_training(optim, ema_decay=ema_decay, max_grad_norm=max_grad_norm)

    @property
    def averaged(self) -> nn.Module:
        """Denoiser of the policy."""
        return self.policy.denoiser

    def _update_with_batch(self, batch: Any) -> DiffusionCloningStats:
        policy, generator = self.policy, self.generator()
        window = self.window(batch)
        x = policy.layout.act(window.act)
        n_times = policy.process.schedule.num_train_timesteps
        loss = denoising_loss(
            policy.process,
            policy.action_denoiser(window.obs[:, 0], self.online),
            x,
            t=torch.randint(n_times, (len(x),), generator=generator, device=x.device),
            noise=torch.randn(x.shape, generator=generator, device=x.device),
            weight=window.mask[..., None].float(),
        )
        self._optimize(loss)
        return DiffusionCloningStats(loss=loss.item())
