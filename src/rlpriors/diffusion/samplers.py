"""Samplers: from noise to windows in any number of steps, with the same trained weights.

A sampler is one step function; `sample` runs it from the noisiest time down, writes the known
entries in at every step, and calls guidance.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.diffusion.conditions import Condition
from rlpriors.diffusion.guidance import (
    GuidanceSettings,
    Value,
    guide_clean,
    guide_noisy,
    straight_through_clamp,
)
from rlpriors.diffusion.process import DiffusionProcess
from rlpriors.types import Denoiser

__all__ = ["SAMPLERS", "Step", "ddim_step", "ddpm_step", "posterior_variance", "sample"]


class Step(NamedTuple):
    """What a sampler sees of one step from time t to the next, less noisy time s < t."""

    x_t: Float[Tensor, "batch horizon dim"]
    x_start: Float[Tensor, "batch horizon dim"]
    """The predicted clean window, guided and clamped."""
    abar_t: Float[Tensor, "batch 1 1"]
    abar_s: Float[Tensor, "batch 1 1"]
    """1 at the last step, which ends without noise."""
    noise: Float[Tensor, "batch horizon dim"]
    eta: float


def posterior_variance(
    abar_t: Float[Tensor, "batch 1 1"], abar_s: Float[Tensor, "batch 1 1"]
) -> Float[Tensor, "batch 1 1"]:
    """Var(x_s | x_t, x_0) = (1 - abar_s) / (1 - abar_t) (1 - abar_t / abar_s)."""
    return (1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)


def ddim_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Song et al. 2021, arXiv 2010.02502, eq. 12: `eta` 0 adds no noise, `eta` 1 is DDPM."""
    x_t, x_start, abar_t, abar_s, noise, eta = step
    predicted_noise = (x_t - abar_t.sqrt() * x_start) / (1 - abar_t).sqrt()
    variance = eta**2 * posterior_variance(abar_t, abar_s)
    direction = (1 - abar_s - variance).clamp(min=0).sqrt() * predicted_noise
    return abar_s.sqrt() * x_start + direction + variance.sqrt() * noise


def ddpm_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Ho et al. 2020, arXiv 2006.11239, eq. 7, over the times that are visited."""
    x_t, x_start, abar_t, abar_s, noise, _ = step
    alpha = abar_t / abar_s
    mean = (
        abar_s.sqrt() * (1 - alpha) / (1 - abar_t) * x_start
        + alpha.sqrt() * (1 - abar_s) / (1 - abar_t) * x_t
    )
    return mean + posterior_variance(abar_t, abar_s).sqrt() * noise


SAMPLERS: dict[str, Callable[[Step], Tensor]] = {"ddim": ddim_step, "ddpm": ddpm_step}


def sample(
    process: DiffusionProcess,
    denoiser: Denoiser,
    x: Float[Tensor, "batch horizon dim"],
    *,
    n_steps: int,
    sampler: str = "ddim",
    eta: float = 0.0,
    start: int | None = None,
    condition: Condition | None = None,
    value: Value | None = None,
    guidance: GuidanceSettings | None = None,
    clip: float | None = 1.0,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch horizon dim"]:
    """Denoise `x` down to clean windows.

    Args:
        process: noise levels and the meaning of the prediction.
        denoiser: the trained network.
        x: standard normal noise; or, with `start`, windows already noised to that time.
        n_steps: denoising steps, each one call of the network.
        sampler: a key of `SAMPLERS`.
        eta: noise that DDIM adds, 0 (none) to 1 (as much as DDPM).
        start: the diffusion time of `x`; None for the noisiest.
        condition: known entries, written in at every step.
        value: what guidance raises; None for plain samples.
        guidance: how it does.
        clip: bound on every entry of the predicted clean window; None for no bound.
        generator: source of the samplers' noise.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f"`sampler` must be one of {sorted(SAMPLERS)}. Received {sampler!r}.")
    guidance = guidance or GuidanceSettings()
    guided = value is not None and guidance.weight > 0
    times = process.schedule.timesteps(n_steps, start)
    for time, next_time in zip(times, [*times[1:], -1], strict=True):
        t, s = (torch.full((len(x),), k, device=x.device) for k in (time, next_time))
        abar_t, abar_s = process.schedule.at(t), process.schedule.at(s)
        if condition is not None:
            x = condition.apply(x)
        if guided and guidance.space == "noisy" and time >= guidance.stop_below:
            for _ in range(guidance.n_repeats):
                assert value is not None
                x = guide_noisy(value, guidance, x, posterior_variance(abar_t, abar_s))
                x = x if condition is None else condition.apply(x)
        x_start = process.denoise(denoiser, x, t)
        if guided and guidance.space == "clean":
            assert value is not None
            x_start = guide_clean(value, guidance, x_start, abar_t)
        if clip is not None:
            x_start = straight_through_clamp(x_start, clip)
        if condition is not None:
            x_start = condition.apply(x_start)
        noise = torch.randn(x.shape, generator=generator, device=x.device)
        x = SAMPLERS[sampler](Step(x, x_start, abar_t, abar_s, noise, eta))
    return x if condition is None else condition.apply(x)
