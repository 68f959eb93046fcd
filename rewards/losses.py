"""Losses that learn a reward: pure functions of rewards and windows.

`contrastive_loss`  demonstrations should score higher than samples of the current model
`gradient_penalty`  and the score should change gently in between
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.diffusion.guidance import Value

__all__ = ["contrastive_loss", "gradient_penalty"]


def contrastive_loss(
    demonstrated: Float[Tensor, "batch steps"], sampled: Float[Tensor, "batch2 steps"]
) -> Float[Tensor, ""]:
    """Mean reward of the model's samples minus that of the demonstrations.

    Its gradient is the maximum-entropy one, E_p[grad J] - E_demonstrations[grad J], divided by
    the steps of a window, when `sampled` is drawn from p proportional to p_prior exp(J) (Finn et
    al. 2016, arXiv 1603.00448, eq. 3).

    Args:
        demonstrated: reward of each step of demonstrated windows.
        sampled: reward of each step of sampled windows, which are constants here.
    """
    return sampled.mean() - demonstrated.mean()


def gradient_penalty(
    value: Value,
    demonstrated: Float[Tensor, "batch horizon dim"],
    sampled: Float[Tensor, "batch horizon dim"],
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """Mean over windows of |d value / d x|^2, at random points between the two sets.

    Centred at 0 (Mescheder et al. 2018, arXiv 1801.04406, eq. 9) rather than at 1: the reward's
    scale is part of what is learned.  The points in between are WGAN-GP's (Gulrajani et al. 2017,
    arXiv 1704.00028, algorithm 1).  Differentiable in the value's parameters.

    Args:
        value: judges windows, J.
        demonstrated: demonstrated windows.
        sampled: as many sampled ones.
        generator: source of the mixing weights.
    """
    mix = torch.rand(len(sampled), 1, 1, generator=generator, device=sampled.device)
    x = (mix * demonstrated + (1 - mix) * sampled).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(value(x).sum(), x, create_graph=True)
    return gradient.square().sum((1, 2)).mean()
