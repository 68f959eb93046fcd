"""Solvers: the rule that leads from one noise level to the next, given the predicted clean window.

`Step`              what a rule sees
`ddim_step`         Song et al. 2021: any amount of noise added, none by default
`ddpm_step`         Ho et al. 2020: the posterior's noise
`SAMPLERS`          every rule by its name
"""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor

__all__ = ["MULTISTEP", "SAMPLERS", "Step", "ddim_step", "ddpm_step", "posterior_variance"]


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

MULTISTEP: frozenset[str] = frozenset()
"""The samplers that look at what the step before predicted."""
