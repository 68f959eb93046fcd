"""Losses of implicit Q-learning.

`expectile_loss`     asymmetric squared error, whose minimum is an expectile
`advantage_weights`  weights of actions by their advantage
`q_targets`          one-step targets of the action values
"""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["advantage_weights", "expectile_loss", "q_targets"]


def expectile_loss(error: Float[Tensor, " batch"], expectile: float) -> Float[Tensor, ""]:
    """Compute the mean of `|expectile - 1(error < 0)| * error**2` (arXiv 2110.06169, eq. 4 and 5).

    The error is the action value minus the state value.  An expectile of 0.5 is half the mean squared error.
    Above it, errors of a state value that is too low weigh more, and the state value approaches the value of
    the best actions in the data.

    Example:
        >>> expectile_loss(torch.tensor([2.0, -1.0]), 0.75)  # (0.75 * 4 + 0.25 * 1) / 2
        tensor(1.6250)
    """
    weight = torch.where(error < 0, 1 - expectile, expectile)
    return (weight * error.square()).mean()


def advantage_weights(
    advantage: Float[Tensor, " batch"], beta: float, max_weight: float
) -> Float[Tensor, " batch"]:
    """Compute `exp(beta * advantage)`, at most `max_weight` (arXiv 2110.06169, eq. 7).

    Example:
        >>> advantage_weights(torch.tensor([0.0, 9.0]), beta=3.0, max_weight=100.0)
        tensor([  1., 100.])
    """
    return (beta * advantage).exp().clamp(max=max_weight)


def q_targets(
    rew: Float[Tensor, " batch"],
    value_next: Float[Tensor, " batch"],
    terminated: Bool[Tensor, " batch"],
    gamma: float,
) -> Float[Tensor, " batch"]:
    """Compute `rew + gamma * value_next`, without the second term after a termination (eq. 6).

    A truncated step keeps the value of its next state.

    Example:
        >>> ended = torch.tensor([True, False])
        >>> q_targets(torch.tensor([1.0, 1.0]), torch.tensor([10.0, 10.0]), ended, 0.9)
        tensor([ 1., 10.])
    """
    return rew + gamma * torch.where(terminated, 0.0, value_next)
