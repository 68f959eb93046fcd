"""Losses on batch statistics that prevent collapse without negatives.

`variance_loss`      hinge on the standard deviation of each entry (VICReg)
`covariance_loss`    squared covariances of different entries (VICReg, DynaMo)
`barlow_twins_loss`  distance of the cross-correlation matrix to the identity (Barlow Twins)
`batch_gaussian_kl`  KL divergence of each entry's distribution over the batch from a standard normal
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["barlow_twins_loss", "batch_gaussian_kl", "covariance_loss", "variance_loss"]


def variance_loss(
    *views: Float[Tensor, "*batch dim"], target_std: float = 1.0, eps: float = 1e-4
) -> Float[Tensor, ""]:
    """Return the mean shortfall of standard deviations below `target_std` (2105.04906, eq. 1).

    The mean is over entries and views.
    """
    shortfalls = [F.relu(target_std - torch.sqrt(_to_rows(z).var(0) + eps)).mean() for z in views]
    return torch.stack(shortfalls).mean()


def covariance_loss(*views: Float[Tensor, "*batch dim"], mean: bool = False) -> Float[Tensor, ""]:
    """Return the summed squared covariances of different entries, averaged over views.

    The sum over pairs is divided by the number of entries (2105.04906, eq. 4), or with `mean` by the
    number of pairs (2409.12192, sec. 3).
    """
    losses = []
    for z in views:
        centered = _to_rows(z) - _to_rows(z).mean(0)
        squares = (centered.T @ centered / (len(centered) - 1)).square()
        dim = len(squares)
        divisor = dim * (dim - 1) if mean else dim
        losses.append((squares.sum() - squares.diagonal().sum()) / divisor)
    return torch.stack(losses).mean()


def barlow_twins_loss(
    a: Float[Tensor, "batch dim"], b: Float[Tensor, "batch dim"], weight: float = 5e-3, eps: float = 1e-5
) -> Float[Tensor, ""]:
    """Return the squared distance of the views' cross-correlation matrix to the identity.

    `weight` is the factor of off-diagonal entries (2103.03230, eq. 1).
    """
    standardized = [
        (z.float() - z.float().mean(0)) / torch.sqrt(z.float().var(0, correction=0) + eps) for z in (a, b)
    ]
    correlations = standardized[0].T @ standardized[1] / len(a)
    diagonal = correlations.diagonal()
    off_diagonal = correlations.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + weight * off_diagonal


def batch_gaussian_kl(z: Float[Tensor, "*batch dim"], eps: float = 1e-4) -> Float[Tensor, ""]:
    """Return the KL divergence from a standard normal of the normal fitted to each entry over the batch.

    The result is averaged over entries.
    """
    mean, variance = _to_rows(z).mean(0), _to_rows(z).var(0, correction=0) + eps
    return 0.5 * (mean.square() + variance - 1 - variance.log()).mean()


def _to_rows(z: Tensor) -> Tensor:
    return z.float().flatten(0, -2)
