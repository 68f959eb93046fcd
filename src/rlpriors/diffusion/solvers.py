"""Solvers: the rule that leads from one noise level to the next, given the predicted clean window.

`Step`              what a rule sees
`ddim_step`         Song et al. 2021: any amount of noise added, none by default
`ddpm_step`         Ho et al. 2020: the posterior's noise
`euler_step`        first order: straight on
`heun_step`         second order: the network is asked again where a straight step leads
`dpm_step`          second order: extrapolated from the step before
`SAMPLERS`          every rule by its name

The last three solve the same ordinary differential equation, which in y = x / sqrt(abar) and
sigma = sqrt(1 / abar - 1) reads dy/dsigma = (y - D(y)) / sigma (arXiv 2206.00364, eq. 3), D(y) being
the predicted clean window.  Rules see windows in their variance-preserving form.
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "MULTISTEP",
    "SAMPLERS",
    "Step",
    "ddim_step",
    "ddpm_step",
    "dpm_step",
    "euler_step",
    "heun_step",
    "posterior_variance",
]


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
    previous: tuple[Tensor, Tensor] | None = None
    """Clean windows that the step before predicted, and abar there; None in the first and last step."""
    again: Callable[[Tensor], Tensor] | None = None
    """The predicted clean windows of any x_s; None in the last step."""


def posterior_variance(
    abar_t: Float[Tensor, "batch 1 1"], abar_s: Float[Tensor, "batch 1 1"]
) -> Float[Tensor, "batch 1 1"]:
    """Var(x_s | x_t, x_0) = (1 - abar_s) / (1 - abar_t) (1 - abar_t / abar_s)."""
    return (1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)


def ddim_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Song et al. 2021, arXiv 2010.02502, eq. 12: `eta` 0 adds no noise, `eta` 1 is DDPM."""
    x_t, x_start, abar_t, abar_s, noise, eta = step[:6]
    predicted_noise = (x_t - abar_t.sqrt() * x_start) / (1 - abar_t).sqrt()
    variance = eta**2 * posterior_variance(abar_t, abar_s)
    direction = (1 - abar_s - variance).clamp(min=0).sqrt() * predicted_noise
    return abar_s.sqrt() * x_start + direction + variance.sqrt() * noise


def ddpm_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Ho et al. 2020, arXiv 2006.11239, eq. 7, over the times that are visited."""
    x_t, x_start, abar_t, abar_s, noise = step[:5]
    alpha = abar_t / abar_s
    mean = (
        abar_s.sqrt() * (1 - alpha) / (1 - abar_t) * x_start
        + alpha.sqrt() * (1 - abar_s) / (1 - abar_t) * x_t
    )
    return mean + posterior_variance(abar_t, abar_s).sqrt() * noise


def euler_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Straight on: DDIM without noise, Euler's rule in sigma, and that of a rectified flow in its time.

    All three keep the predicted window and the predicted noise, and mix them anew.
    """
    return ddim_step(step._replace(eta=0.0))


def heun_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Karras et al. 2022, arXiv 2206.00364, algorithm 1: the mean of the slopes at both ends.

    The last step, down to no noise, is Euler's.  Written as a correction of the straight step, the second
    prediction moves it by (sigma_t / sigma_s - 1) / 2 of what it differs from the first.  Where sigma falls
    to less than half in a step, that is more than the step would move if the second alone were believed: the
    few first steps of a "cosine" schedule would overshoot a thousandfold.  There it is held at that bound,
    so that windows stay between the noisy one and those predicted.
    """
    y, clean = step.x_t / step.abar_t.sqrt(), step.x_start
    sigma_t, sigma_s = ((1 / abar - 1).clamp(min=0).sqrt() for abar in (step.abar_t, step.abar_s))
    straight = clean + sigma_s / sigma_t * (y - clean)
    if step.again is None:
        return step.abar_s.sqrt() * straight
    change = step.again(step.abar_s.sqrt() * straight) - clean
    weight = torch.minimum((sigma_t / sigma_s - 1) / 2, 1 - sigma_s / sigma_t)
    return step.abar_s.sqrt() * (straight + weight * change)


def dpm_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """DPM-Solver++(2M): Lu et al. 2022, arXiv 2211.01095, algorithm 2, in lambda = log(1 / sigma).

    First order in the first step, which has no past, and in the last, which is infinitely long (the
    paper's lower-order last step, always): one or two steps are Euler's, three extrapolate once.  From four
    to a dozen, on "linear", "rectified_flow" or a "cosine" of many levels, steps grow so fast in lambda that
    it can err more than Euler's rule.  It is left as published, since a bound on the extrapolation that
    helps there costs as much elsewhere; take "heun", or more steps.
    """
    x_t, clean, abar_t, abar_s = step.x_t, step.x_start, step.abar_t, step.abar_s
    if step.previous is not None:
        before, abar_before = step.previous
        span, last = _lambda(abar_s) - _lambda(abar_t), _lambda(abar_t) - _lambda(abar_before)
        clean = clean + span / (2 * last) * (clean - before)
    ratio = ((1 - abar_s) / (1 - abar_t)).sqrt()
    # -sqrt(abar_s) expm1(-h) of the paper, with exp(-h) = sigma_s / sigma_t.
    return ratio * x_t + (abar_s.sqrt() - ratio * abar_t.sqrt()) * clean


def _lambda(abar: Tensor) -> Tensor:
    return 0.5 * torch.log(abar / (1 - abar))


SAMPLERS: dict[str, Callable[[Step], Tensor]] = {
    "ddim": ddim_step,
    "ddpm": ddpm_step,
    "dpm++2m": dpm_step,
    "euler": euler_step,
    "heun": heun_step,
}

MULTISTEP = frozenset({"dpm++2m"})
"""The samplers that look at what the step before predicted."""
