"""Guidance of samples toward a higher value J during denoising.

`GuidanceSettings`  weight, space and bounds of guidance
`guide_posterior`   step of the posterior mean: follows p(window) exp(w J) of the prior p
`guide_clean`       gradient step at the predicted clean window, without the denoiser's Jacobian
`guide_noisy`       gradient step at the noisy window, before denoising
`value_gradient`    gradient of J in each window
`smooth_clip`       smooth bound on the norm of a step
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.diffusion.schedule import NoiseSchedule
from rlpriors.settings import check_fields

__all__ = [
    "GuidanceSettings",
    "Value",
    "guide_clean",
    "guide_noisy",
    "guide_posterior",
    "smooth_clip",
    "straight_through_clamp",
    "value_gradient",
]

Value: TypeAlias = Callable[[Tensor], Tensor]
"""Function that scores windows: [batch, horizon, dim] to [batch]."""

GuidanceSpace = Literal["clean", "noisy", "posterior"]

_LEAST_SIGNAL = 0.02  # abar below which "posterior" trusts no Jacobian


@dataclass(frozen=True)
class GuidanceSettings:
    """Settings of guidance: weight, space and bounds of the value's gradient."""

    weight: float = 1.0
    """Factor of the gradient; 0 switches guidance off."""

    space: GuidanceSpace = "clean"
    """Space of the gradient.  "clean" evaluates it at the predicted x_0: the value reads windows like
    those of its training, and the denoiser is not differentiated.  The length of the step is exact for
    independent entries of variance 1 only.  "posterior" multiplies that gradient by the covariance of x_0
    given x_t, one vector-Jacobian product through the denoiser (about twice the time of a sample): samples
    follow p(window) exp(weight J) for any prior p and a value that is linear within that covariance.
    "noisy" evaluates the gradient at x_t, before denoising, as Diffuser does; it suits the sampler "ddpm"
    and overshoots with "ddim" at eta 0."""

    clip: float | None = 6.0
    """Smooth bound on the norm over a window of the gradient, in space "posterior" of its product with the
    covariance; None for no bound."""

    n_repeats: int = 1
    """Gradient steps at each diffusion time ("noisy" only)."""

    stop_below: int = 0
    """Diffusion times below this are not guided ("noisy" only; Diffuser's `t_stopgrad`)."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not self.weight >= 0:
            raise ValueError(f"`weight` must be at least 0. Received {self.weight}.")
        if self.space not in get_args(GuidanceSpace):
            raise ValueError(f"`space` must be one of {get_args(GuidanceSpace)}. Received {self.space!r}.")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"`clip` must be positive or None. Received {self.clip}.")
        if self.n_repeats < 1:
            raise ValueError(f"`n_repeats` must be at least 1. Received {self.n_repeats}.")


def value_gradient(
    value: Value, x: Float[Tensor, "batch horizon dim"], create_graph: bool = False
) -> Float[Tensor, "batch horizon dim"]:
    """Compute d value / d x for each window, also under `torch.no_grad`.

    Args:
        value: the function that scores windows.
        x: the windows.
        create_graph: make the gradient differentiable in the value's parameters and in the inputs
            of `x`.  Without it, the gradient belongs to no graph.

    Raises:
        ValueError: the value has no gradient; constants and comparisons have none.
    """
    with torch.enable_grad():
        if not (create_graph and x.requires_grad):
            x = x.detach().requires_grad_()
        total = value(x).sum()
        gradient = None
        if total.requires_grad:
            (gradient,) = torch.autograd.grad(total, x, create_graph=create_graph, allow_unused=True)
    if gradient is None:
        raise ValueError(
            "`value` must be differentiable in the window. Received one without a gradient; use it for "
            "ranking only, with GuidanceSettings(weight=0)."
        )
    return gradient


def smooth_clip(
    gradient: Float[Tensor, "batch horizon dim"], bound: float | None
) -> Float[Tensor, "batch horizon dim"]:
    """Compute g / sqrt(1 + |g|^2 / bound^2), which is shorter than `bound` and monotone in |g|.

    A hard clip would remove the value's scale from the gradient that trains the value.
    """
    if bound is None:
        return gradient
    square = gradient.square().sum((1, 2), keepdim=True)
    return gradient / (1 + square / bound**2).sqrt()


def guide_clean(
    value: Value,
    settings: GuidanceSettings,
    x_start: Float[Tensor, "batch horizon dim"],
    abar: Float[Tensor, "batch 1 1"],
    *,
    create_graph: bool = False,
) -> Float[Tensor, "batch horizon dim"]:
    """Compute x_0 + w sigma_t^2 clip(grad J(x_0)), with sigma_t^2 = 1 - abar_t.

    The step shrinks with the noise, as in pseudo-inverse guidance (Song et al. 2023, ICLR).
    """
    push = smooth_clip(value_gradient(value, x_start, create_graph), settings.clip)
    return x_start + settings.weight * (1 - abar) * push


def guide_posterior(
    value: Value,
    settings: GuidanceSettings,
    predict: Callable[[Tensor, Tensor], Tensor],
    x_t: Float[Tensor, "batch horizon dim"],
    t: Int[Tensor, " batch"],
    schedule: NoiseSchedule,
    *,
    create_graph: bool = False,
) -> Float[Tensor, "batch horizon dim"]:
    """Compute x_0 + w clip(C grad J(x_0)), with x_0 = predict(x_t, t) and C the covariance of x_0 given x_t.

    C = (1 - abar) / sqrt(abar) (d x_0 / d z)^T, where z is x_t in variance-preserving form (Tweedie's
    formula of second order: Meng et al. 2021, arXiv 2111.04726).  To first order in J, x_0 + w C grad J is
    the posterior mean of the prior tilted by exp(w J).  Diffusion posterior sampling (Chung et al. 2023,
    arXiv 2209.14687) and pseudo-inverse guidance (Song et al. 2023, ICLR) differentiate through the denoiser
    in the same way.

    The Jacobian of an exact denoiser vanishes with sqrt(abar), so that C is at most the covariance of the
    data.  The Jacobian of a trained network does not vanish: at the noisiest time of the schedule "cosine"
    the quotient is more than a hundred times too large.  Below an abar of 0.02, usually in the first step
    only, the Jacobian is therefore taken at the noisiest time of at least 0.02, in one more call of the
    network.  C changes little between these times, because both windows are almost pure noise.

    Args:
        value: function J that guidance raises.
        settings: weight and bound of the step.
        predict: function from noisy windows and their times to clean windows.  It is constant in the known
            entries, which then receive no step.
        x_t: noisy windows.
        t: their diffusion times.
        schedule: noise levels.
        create_graph: make the result differentiable in the parameters of `value` and in `x_t`.  The backward
            pass then differentiates the denoiser twice.

    Raises:
        ValueError: the value or the prediction has no gradient.
    """
    jacobian_time = torch.minimum(t, (schedule.alphas_cumprod >= _LEAST_SIGNAL).sum() - 1)
    abar = schedule.at(jacobian_time)
    z = x_t / schedule.scale_at(t)
    with torch.enable_grad():
        if not (create_graph and z.requires_grad):
            z = z.detach().requires_grad_()
        output = predict(schedule.scale_at(jacobian_time) * z, jacobian_time)
        x_start = output
        if (jacobian_time < t).any():
            with torch.set_grad_enabled(create_graph):
                x_start = predict(schedule.scale_at(t) * z, t)
        gradient = value_gradient(value, x_start, create_graph)
        product = None
        if output.requires_grad:
            (product,) = torch.autograd.grad(
                output, z, gradient, create_graph=create_graph, allow_unused=True
            )
    if product is None:
        raise ValueError(
            '`denoiser` must be differentiable in the noisy window for the guidance space "posterior". '
            'Received one without a gradient; guide in space "clean".'
        )
    step = settings.weight * smooth_clip((1 - abar) / abar.sqrt() * product, settings.clip)
    return (x_start if create_graph else x_start.detach()) + step


def guide_noisy(
    value: Value,
    settings: GuidanceSettings,
    x_t: Float[Tensor, "batch horizon dim"],
    variance: Float[Tensor, "batch 1 1"],
    *,
    create_graph: bool = False,
) -> Float[Tensor, "batch horizon dim"]:
    """Compute x_t + w var_t clip(grad J(x_t)); var_t is the posterior variance.

    Source: arXiv 2205.09991, algorithm 1.
    """
    push = smooth_clip(value_gradient(value, x_t, create_graph), settings.clip)
    return x_t + settings.weight * variance * push


def straight_through_clamp(x: Tensor, bound: float) -> Tensor:
    """Clamp to [-bound, bound] with the gradient of the identity.

    A plain clamp has zero gradient exactly where guidance pushes hardest.
    """
    return x + (x.clamp(-bound, bound) - x).detach()
