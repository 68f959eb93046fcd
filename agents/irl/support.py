"""Does the prior cover the demonstrations?  Asked before a reward is learned.

Guidance reweights what the prior can produce; it cannot leave it.  Where the prior has never
seen anything like the demonstrations, no reward makes it behave as they do, and the reward that
is learned is worth nothing.
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
    """How well a prior covers demonstrations."""

    coverage: float
    """Part of the demonstrations' windows that the prior restores from noise as well as it does 99 %
    of its own data: about 0.99 when they are of a kind, 0 when it knows nothing like them."""

    demonstrations_residual: float
    """Median denoising error of the demonstrations' windows, in squared normalized units."""

    data_residual: float
    """The same for the prior's own data."""

    @property
    def sufficient(self) -> bool:
        """Coverage of at least 0.8, a rule of thumb: below, a reward may still be learned, or not."""
        return self.coverage >= 0.8


def check_support(
    policy: DiffuserPolicy,
    data: EpisodeStore,
    demonstrations: EpisodeStore,
    *,
    max_start: int | None = None,
    n_windows: int = 1000,
    seed: int = 0,
) -> Support:
    """Compare how well the prior restores the demonstrations and its own data from noise.

    Logs a warning that says what to do when the demonstrations lie outside.

    Args:
        policy: holds the prior.
        data: what the prior was trained on.
        demonstrations: what a reward is to be learned from.
        max_start: as in `DiffusionIRL`: only windows that start this early in a demonstration.
        n_windows: windows that are drawn from each.
        seed: source of windows and noise.
    """
    own = _residuals(policy, data, None, n_windows, seed)
    theirs = _residuals(policy, demonstrations, max_start, n_windows, seed)
    support = Support(
        coverage=float(np.mean(theirs <= np.quantile(own, 0.99))),
        demonstrations_residual=float(np.median(theirs)),
        data_residual=float(np.median(own)),
    )
    if not support.sufficient:
        _log.warning(
            "The prior covers only %.0f %% of the demonstrations' windows (at least 80 %% are wanted): "
            "guidance may not produce what the prior has never seen. Add data that visits the same "
            "places in the same manner - if the demonstrations stay at a goal, data that stays at "
            "goals - or train the prior longer.",
            100 * support.coverage,
        )
    return support


def _residuals(
    policy: DiffuserPolicy, data: EpisodeStore, max_start: int | None, n: int, seed: int
) -> np.ndarray:
    policy.check_data(data)
    frames = policy.frames
    starts = data.window_starts(frames.horizon, frames.stride, max_start=max_start)
    starts = np.random.default_rng(seed).choice(starts, size=min(n, len(starts)), replace=False)
    window = data.windows(starts, frames.horizon, frames.stride)
    x = frames.pack(type(window)(*(part.to(policy.device) for part in window)))
    residual = denoising_residual(
        policy.process,
        policy.denoiser,
        x,
        condition=frames.start(window.obs[:, 0].to(policy.device)),
        generator=torch.Generator(policy.device).manual_seed(seed),
    )
    return residual.cpu().numpy()
