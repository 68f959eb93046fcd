"""Losses that learn a reward: pure functions of rewards and windows.

`contrastive_loss`  demonstrations should score higher than samples of the current model
`gradient_penalty`  and the score should change gently in between
`quickness`         how fast each entry of a frame changes: what to weigh that penalty by
`slowness_penalty`  the score should change slowly along any trajectory
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.diffusion.guidance import Value

__all__ = ["contrastive_loss", "gradient_penalty", "quickness", "slowness_penalty"]


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
    *,
    weight: Float[Tensor, " dim"] | None = None,
) -> Float[Tensor, ""]:
    """Mean over windows of |d value / d x|^2, at random points between the two sets.

    Centered at 0 (Mescheder et al. 2018, arXiv 1801.04406, eq. 9) rather than at 1: the reward's
    scale is part of what is learned.  The points in between are WGAN-GP's (Gulrajani et al. 2017,
    arXiv 1704.00028, algorithm 1).  Differentiable in the value's parameters.

    Args:
        value: judges windows, J.
        demonstrated: demonstrated windows.
        sampled: as many sampled ones.
        generator: source of the mixing weights.
        weight: of each entry of a frame; all 1 when left out.
    """
    mix = torch.rand(len(sampled), 1, 1, generator=generator, device=sampled.device)
    x = (mix * demonstrated + (1 - mix) * sampled).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(value(x).sum(), x, create_graph=True)
    square = gradient.square() if weight is None else weight * gradient.square()
    return square.sum((1, 2)).mean()


def quickness(windows: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, " dim"]:
    """How fast each entry of a frame changes, as a multiple of the slowest: at least 1.

    The mean squared change from frame to frame, divided by the entry's variance: the measure that
    slow feature analysis makes small (Wiskott & Sejnowski 2002, Neural Computation 14(4), eq. 1-4).
    Places are slow, velocities faster, actions fastest.  Entries that hardly change within a window
    (by less than a thousandth of their spread, such as a goal that is given) count as slowest, and
    none counts more than 1000 times.

    Raises:
        ValueError: nothing changes at all, or windows have a single frame.
    """
    if windows.shape[1] < 2:
        raise ValueError(f"`windows` must have at least 2 frames. Received {windows.shape[1]}.")
    variance = windows.flatten(0, 1).var(0)
    moving = variance > 1e-12
    change = windows.diff(dim=1).square().mean((0, 1)) / variance.clamp(min=1e-12)
    moving &= change > 1e-6  # below, it is rounding or jitter, and all else would look infinitely fast
    if not moving.any():
        raise ValueError("`windows` must hold frames that change. Received constant ones; check the data.")
    slowest = change[moving].min()
    return torch.where(moving, change / slowest, 1.0).clamp(max=1000.0)


def slowness_penalty(rewards: Float[Tensor, "batch steps"]) -> Float[Tensor, ""]:
    """Mean of (r_{t+1} - r_t)^2 along windows: how fast the reward changes from frame to frame.

    The slowness principle (Wiskott & Sejnowski 2002, Neural Computation 14(4), eq. 1-2) put on a
    reward.  Many rewards explain the same demonstrations.  Velocities and actions tell them from
    samples as well as places do, and a reward of those imitates perfectly and is worth nothing in
    another body.  They change much faster than what is achieved, so a reward that changes slowly
    along trajectories of any kind leaves them out by itself, with no input chosen by hand.

    Raises:
        ValueError: windows have a single step.
    """
    if rewards.shape[1] < 2:
        raise ValueError(
            f"`rewards` must have at least 2 steps in a row. Received {rewards.shape[1]}; take longer "
            "windows, or leave the penalty out."
        )
    return rewards.diff(dim=1).square().mean()
