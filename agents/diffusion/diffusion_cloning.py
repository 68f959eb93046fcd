"""Learning a diffusion policy: behavior cloning of chunks of actions.

The twin of `trajectory_diffusion`, which learns what trajectories are possible, observations and all;
this learns what demonstrators did next.
"""

from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import torch
from tianshou.algorithm.algorithm_base import TrainingStats
from tianshou.algorithm.optim import OptimizerFactory
from torch.optim.swa_utils import get_ema_multi_avg_fn

from rlpriors.agents.diffusion.diffusion_policy import DiffusionPolicy
from rlpriors.agents.offline_algorithm import WindowAlgorithm
from rlpriors.agents.validation import check_kind
from rlpriors.diffusion import denoising_loss

__all__ = ["DiffusionCloning", "DiffusionCloningStats"]


@dataclass(kw_only=True)
class DiffusionCloningStats(TrainingStats):
    """What one update did."""

    loss: float
    """Mean squared denoising error of actions, in normalized units."""


class DiffusionCloning(WindowAlgorithm[DiffusionPolicy]):
    """Learns a `DiffusionPolicy` from the windows of a buffer (arXiv 2303.04137, eq. 5).

    A copy of the denoiser is trained; the policy acts by its exponential moving average.  Every step
    of the data begins a chunk; actions beyond the end of its episode do not count.  It resumes
    bit-equal.

    Args:
        policy: what is learned.
        optim: makes the optimizer.
        ema_decay: of the moving average, in [0, 1).
        max_grad_norm: bound on the gradient's norm; None for no bound.
        max_start: use only chunks that start in the first steps of an episode; None for all.
        seed: source of batches and noise.

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
        check_kind("policy", policy, DiffusionPolicy, "make one by `DiffusionPolicy.fit`")
        super().__init__(policy=policy, max_start=max_start, seed=seed)
        if not 0 <= ema_decay < 1:
            raise ValueError(f"`ema_decay` must be in [0, 1). Received {ema_decay}.")
        self.online = deepcopy(policy.denoiser).requires_grad_(True)
        policy.denoiser.requires_grad_(False)
        self.optim = self._create_optimizer(self.online, optim, max_grad_norm=max_grad_norm)
        self._average = get_ema_multi_avg_fn(ema_decay)

    def _update_with_batch(self, batch: Any) -> DiffusionCloningStats:
        policy, generator = self.policy, self.generator()
        window = self.window(batch)
        x = policy.frames.act(window.act)
        n_times = policy.process.schedule.num_train_timesteps
        loss = denoising_loss(
            policy.process,
            policy.given(window.obs[:, 0], self.online),
            x,
            t=torch.randint(n_times, (len(x),), generator=generator, device=x.device),
            noise=torch.randn(x.shape, generator=generator, device=x.device),
            weight=window.mask[..., None].float(),
        )
        self.optim.step(loss)
        with torch.no_grad():
            averaged, online = tuple(policy.denoiser.parameters()), tuple(self.online.parameters())
            self._average(averaged, online, self.updates)
        self.updates += 1
        return DiffusionCloningStats(loss=loss.item())
