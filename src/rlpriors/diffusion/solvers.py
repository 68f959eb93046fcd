"""Solvers: update rules from one noise level to the next, given the predicted clean window.

`Step`        inputs of a rule
`ddim_step`   DDIM (Song et al. 2021): any amount of added noise, none by default
`ddpm_step`   DDPM (Ho et al. 2020): noise of the posterior
`euler_step`  first order: Euler's rule
`heun_step`   second order: a second prediction at the end of the Euler step
`dpm_step`    second order: extrapolation from the previous step
`SAMPLERS`    rules by name

The last three solve the same ordinary differential equation, which in y = x / sqrt(abar) and
sigma = sqrt(1 / abar - 1) reads dy/dsigma = (y - D(y)) / sigma (arXiv 2206.00364, eq. 3), D(y) being
the predicted clean window.  Rules read windows in variance-preserving form.
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
    """Inputs of one step from time t to the next, less noisy time s < t."""

    x_t: Float[Tensor, "batch horizon dim"]
    x_start: Float[Tensor, "batch horizon dim"]
    """The predicted clean window, guided and clamped."""
    abar_t: Float[Tensor, "batch 1 1"]
    abar_s: Float[Tensor, "batch 1 1"]
    """Signal level at s: 1 in the last step, which ends without noise."""
    noise: Float[Tensor, "batch horizon dim"]
    eta: float
    previous: tuple[Tensor, Tensor] | None = None
    """Clean windows predicted in the previous step and its abar; None in the first and last step."""
    again: Callable[[Tensor], Tensor] | None = None
    """Prediction of clean windows from any x_s; None in the last step."""


def posterior_variance(
    abar_t: Float[Tensor, "batch 1 1"], abar_s: Float[Tensor, "batch 1 1"]
) -> Float[Tensor, "batch 1 1"]:
    """Compute Var(x_s | x_t, x_0) = (1 - abar_s) / (1 - abar_t) (1 - abar_t / abar_s)."""
    return (1 - abar_s) / (1 - abar_t) * (1 - abar_t / abar_s)


def ddim_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Apply DDIM: `eta` 0 adds no noise, `eta` 1 is DDPM (Song et al. 2021, arXiv 2010.02502, eq. 12)."""
    x_t, x_start, abar_t, abar_s, noise, eta = step[:6]
    predicted_noise = (x_t - abar_t.sqrt() * x_start) / (1 - abar_t).sqrt()
    variance = eta**2 * posterior_variance(abar_t, abar_s)
    direction = (1 - abar_s - variance).clamp(min=0).sqrt() * predicted_noise
    return abar_s.sqrt() * x_start + direction + variance.sqrt() * noise


def ddpm_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Apply DDPM over the visited times (Ho et al. 2020, arXiv 2006.11239, eq. 7)."""
    x_t, x_start, abar_t, abar_s, noise = step[:5]
    alpha = abar_t / abar_s
    mean = (
        abar_s.sqrt() * (1 - alpha) / (1 - abar_t) * x_start
        + alpha.sqrt() * (1 - abar_s) / (1 - abar_t) * x_t
    )
    return mean + posterior_variance(abar_t, abar_s).sqrt() * noise


def euler_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Apply Euler's rule in sigma, which equals DDIM without noise and a rectified flow's Euler step.

    All three keep the predicted window and the predicted noise, and mix them in new proportions.
    """
    return ddim_step(step._replace(eta=0.0))


def heun_step(step: Step) -> Float[Tensor, "batch horizon dim"]:
    """Apply Heun's rule, the mean of the slopes at both ends (Karras et al. 2022, arXiv 2206.00364, alg. 1).

    The last step, which ends without noise, is Euler's.  The second prediction corrects the Euler step by
    (sigma_t / sigma_s - 1) / 2 times its difference from the first prediction.  Where sigma falls to less
    than half in one step, this factor exceeds the full correction, and the first steps of a "cosine"
    schedule would overshoot a thousandfold.  The factor is therefore bounded by 1 - sigma_s / sigma_t, so
    that windows stay between the noisy and the predicted ones.
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
    """Apply DPM-Solver++(2M) in lambda = log(1 / sigma) (Lu et al. 2022, arXiv 2211.01095, algorithm 2).

    The first step has no past and the last is infinitely long, so both are of first order.  With 4 to 12
    steps on "linear", "rectified_flow" or a "cosine" of many levels, the steps grow fast in lambda and the
    error can exceed that of Euler's rule.  The rule is kept as published, because a bound on the
    extrapolation costs the same accuracy elsewhere.  Use "heun" or more steps there.
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
"""Samplers that read the prediction of the previous step."""
