"""Losses that keep the numbers of a vector alive and different, without negatives.

`hinge_variance`      each number must vary over the batch (VICReg)
`covariance`          no two numbers may say the same (VICReg, DynaMo)
`cross_correlation`   two views' numbers correlate with themselves alone (Barlow Twins)
`gaussian_batch`      each number must look like a standard normal over the batch
"""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

__all__ = ["covariance", "cross_correlation", "gaussian_batch", "hinge_variance"]


def hinge_variance(
    *views: Float[Tensor, "*batch dim"], target_std: float = 1.0, eps: float = 1e-4
) -> Float[Tensor, ""]:
    """How far standard deviations fall short of `target_std` (2105.04906, eq. 1), averaged over views."""
    short = [F.relu(target_std - torch.sqrt(rows(z).var(0) + eps)).mean() for z in views]
    return torch.stack(short).mean()


def covariance(*views: Float[Tensor, "*batch dim"], mean: bool = False) -> Float[Tensor, ""]:
    """Squared covariances of different numbers, summed over pairs and divided by the numbers (2105.04906,
    eq. 4); or with `mean` divided by the pairs (2409.12192, sec. 3).  Averaged over views.
    """
    found = []
    for z in views:
        centered = rows(z) - rows(z).mean(0)
        squares = (centered.T @ centered / (len(centered) - 1)).square()
        dim = len(squares)
        pairs = dim * (dim - 1) if mean else dim
        found.append((squares.sum() - squares.diagonal().sum()) / pairs)
    return torch.stack(found).mean()


def cross_correlation(
    a: Float[Tensor, "batch dim"], b: Float[Tensor, "batch dim"], weight: float = 5e-3, eps: float = 1e-5
) -> Float[Tensor, ""]:
    """How far the views' matrix of correlations is from the identity (2103.03230, eq. 1)."""
    units = [
        (z.float() - z.float().mean(0)) / torch.sqrt(z.float().var(0, correction=0) + eps) for z in (a, b)
    ]
    correlations = units[0].T @ units[1] / len(a)
    diagonal = correlations.diagonal()
    others = correlations.square().sum() - diagonal.square().sum()
    return (1 - diagonal).square().sum() + weight * others


def gaussian_batch(z: Float[Tensor, "*batch dim"], eps: float = 1e-4) -> Float[Tensor, ""]:
    """Kullback-Leibler divergence of a standard normal from the normal that fits each number over the
    batch, averaged over numbers.
    """
    mean, variance = rows(z).mean(0), rows(z).var(0, correction=0) + eps
    return 0.5 * (mean.square() + variance - 1 - variance.log()).mean()


def rows(z: Tensor) -> Tensor:
    return z.float().flatten(0, -2)
