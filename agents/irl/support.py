"""Coverage of demonstrations by a prior, checked before a reward is learned.

`Support`        coverage and denoising errors of a prior on demonstrations
`check_support`  comparison of the prior's errors on demonstrations and on its own data

Guidance reweights the trajectories that the prior can produce; it cannot leave them.  If the prior's data
contains nothing similar to the demonstrations, no reward makes the prior behave like them, and a learned
reward carries no information.
"""

import logging
from dataclasses import dataclass

import numpy as np
import torch

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.diffusion import denoising_residual

__all__ = ["Support", "check_support"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Support:
    """Coverage of demonstrations by a prior."""

    coverage: float
    """Fraction of the demonstrations' windows that the prior restores from noise as well as 99 % of its own
    data: about 0.99 for similar windows, 0 for windows unlike its data."""

    demonstrations_residual: float
    """Median denoising error of the demonstrations' windows, in squared normalized units."""

    data_residual: float
    """Median denoising error of the prior's own data, in squared normalized units."""

    @property
    def sufficient(self) -> bool:
        """True if the coverage is at least 0.8, a rule of thumb; below, learning a reward may fail."""
        return self.coverage >= 0.8


def check_support(
    policy: DiffuserPolicy,
    data: EpisodeStore,
    demonstrations: EpisodeStore,
    *,
    n_windows: int = 1000,
    seed: int = 0,
) -> Support:
    """Compare the prior's denoising errors on the demonstrations and on its own data.

    If the demonstrations lie outside the prior, a warning with a remedy is logged.

    Args:
        policy: policy with the prior.
        data: training data of the prior.
        demonstrations: demonstrations that a reward will be learned from.
        n_windows: number of windows sampled from each data set.
        seed: random seed of windows and noise.
    """
    data_residuals = _residuals(policy, data, n_windows, seed)
    expert_residuals = _residuals(policy, demonstrations, n_windows, seed)
    support = Support(
        coverage=float(np.mean(expert_residuals <= np.quantile(data_residuals, 0.99))),
        demonstrations_residual=float(np.median(expert_residuals)),
        data_residual=float(np.median(data_residuals)),
    )
    if not support.sufficient:
        _log.warning(
            "The prior covers only %.0f %% of the demonstrations' windows (at least 80 %% are needed): "
            "guidance cannot produce trajectories unlike the prior's data. Add data that visits the same "
            "places in the same manner - if the demonstrations stay at a goal, data that stays at "
            "goals - or train the prior longer.",
            100 * support.coverage,
        )
    return support


def _residuals(policy: DiffuserPolicy, data: EpisodeStore, n: int, seed: int) -> np.ndarray:
    policy.check_data(data)
    layout = policy.layout
    starts = data.window_starts(layout.horizon, layout.stride, absorbing=layout.absorbing)
    starts = np.random.default_rng(seed).choice(starts, size=min(n, len(starts)), replace=False)
    window = data.windows(starts, layout.horizon, layout.stride)
    x = layout.pack(type(window)(*(part.to(policy.device) for part in window)))
    residual = denoising_residual(
        policy.process,
        policy.denoiser,
        x,
        condition=layout.start(window.obs[:, 0].to(policy.device)),
        generator=torch.Generator(policy.device).manual_seed(seed),
    )
    return residual.cpu().numpy()
