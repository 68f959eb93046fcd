"""Losses and penalties that train a reward: pure functions of rewards and windows.

`contrastive_loss`    mean reward of samples minus that of demonstrations
`gradient_penalty`    mean squared gradient between demonstrations and samples
`temporal_variation`  rate of change of each entry of a window, for weighting that penalty
`slowness_penalty`    mean squared change of the reward along windows
"""

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.diffusion.guidance import Value

__all__ = [
    "contrastive_loss",
    "gradient_penalty",
    "slowness_penalty",
    "temporal_variation",
]


def contrastive_loss(
    demonstrated: Float[Tensor, "batch steps"], sampled: Float[Tensor, "batch2 steps"]
) -> Float[Tensor, ""]:
    """Return the mean reward of the model's samples minus that of the demonstrations.

    If `sampled` is drawn from p proportional to p_prior exp(J), the gradient is the maximum-entropy
    gradient E_p[grad J] - E_demonstrations[grad J] divided by the number of steps in a window (Finn et
    al. 2016, arXiv 1603.00448, eq. 3).

    Args:
        demonstrated: reward of each step of demonstrated windows.
        sampled: reward of each step of sampled windows; the windows are constants.
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
    """Return the mean over windows of |d value / d x|^2 at random points between the two sets.

    Centered at 0 (Mescheder et al. 2018, arXiv 1801.04406, eq. 9) instead of 1, since the scale of the
    reward is learned.  The interpolation is that of WGAN-GP (Gulrajani et al. 2017, arXiv 1704.00028,
    algorithm 1).  Differentiable in the parameters of `value`.

    Args:
        value: value J of each window.
        demonstrated: demonstrated windows.
        sampled: the same number of sampled windows.
        generator: random generator of the interpolation.
        weight: weight of each entry of a timestep; 1 by default.
    """
    mix = torch.rand(len(sampled), 1, 1, generator=generator, device=sampled.device)
    x = (mix * demonstrated + (1 - mix) * sampled).detach().requires_grad_()
    (gradient,) = torch.autograd.grad(value(x).sum(), x, create_graph=True)
    square = gradient.square() if weight is None else weight * gradient.square()
    return square.sum((1, 2)).mean()


def temporal_variation(windows: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, " dim"]:
    """Return the rate of change of each entry of a timestep, relative to the slowest entry.

    The rate is the mean squared change between consecutive timesteps, divided by the entry's variance:
    the objective of slow feature analysis (Wiskott & Sejnowski 2002, Neural Computation 14(4), eq. 1-4).
    Positions change slowly, velocities faster, actions fastest.  Entries that hardly change within a
    window (by less than a thousandth of their standard deviation, such as a given goal) count as the
    slowest.  Rates of more than 1000 times the slowest are clipped.

    Args:
        windows: normalized windows.

    Raises:
        ValueError: no entry changes, or windows have a single timestep.
    """
    if windows.shape[1] < 2:
        raise ValueError(f"`windows` must have at least 2 timesteps. Received {windows.shape[1]}.")
    variance = windows.flatten(0, 1).var(0)
    varies = variance > 1e-12
    change = windows.diff(dim=1).square().mean((0, 1)) / variance.clamp(min=1e-12)
    varies &= change > 1e-6  # a smaller change is rounding or jitter, which would make all ratios infinite
    if not varies.any():
        raise ValueError("`windows` must change over time. Received constant windows; check the data.")
    slowest = change[varies].min()
    return torch.where(varies, change / slowest, 1.0).clamp(max=1000.0)


def slowness_penalty(rewards: Float[Tensor, "batch steps"]) -> Float[Tensor, ""]:
    """Return the mean of (r_{t+1} - r_t)^2 along windows.

    This is the slowness principle (Wiskott & Sejnowski 2002, Neural Computation 14(4), eq. 1-2) applied
    to a reward.  Many rewards explain the same demonstrations.  Velocities and actions separate
    demonstrations from samples as well as positions do, but a reward that reads them does not transfer
    to other dynamics.  They change much faster than the task's progress.  A reward that changes slowly
    along all trajectories therefore ignores them without a manual choice of inputs.

    Raises:
        ValueError: windows have a single step.
    """
    if rewards.shape[1] < 2:
        raise ValueError(
            f"`rewards` must have at least 2 consecutive steps. Received {rewards.shape[1]}; use longer "
            "windows, or a penalty weight of 0."
        )
    return rewards.diff(dim=1).square().mean()
