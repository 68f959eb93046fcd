"""Guidance of samples toward a higher value during denoising."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.settings import check_fields

__all__ = [
    "GuidanceSettings",
    "Value",
    "guide_clean",
    "guide_noisy",
    "smooth_clip",
    "straight_through_clamp",
    "value_gradient",
]

Value: TypeAlias = Callable[[Tensor], Tensor]
"""Function that scores windows: [batch, horizon, dim] to [batch]."""

GuidanceSpace = Literal["clean", "noisy"]


@dataclass(frozen=True)
class GuidanceSettings:
    """Settings of guidance: weight, space and bounds of the value's gradient."""

    weight: float = 1.0
    """Factor of the gradient; 0 switches guidance off."""

    space: GuidanceSpace = "clean"
    """Space of the gradient.  "clean" evaluates it at the predicted x_0: the value reads windows like
    those of its training, and the denoiser is not differentiated.  "noisy" evaluates it at x_t, before
    denoising, as Diffuser does; it suits the sampler "ddpm" and overshoots with "ddim" at eta 0."""

    clip: float | None = 6.0
    """Smooth bound on the gradient's norm over a window; None for no bound."""

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
