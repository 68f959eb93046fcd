"""Differentiable distances between two samples of points [n, dim] and [m, dim].

`mse`                    mean squared difference of paired points
`mmd_rbf`                maximum mean discrepancy with five Gaussian kernels
`mmd_matern`             maximum mean discrepancy with a Matern kernel
`energy_distance`        energy distance, which has no bandwidth
`sinkhorn_divergence`    debiased entropic optimal transport
`median_distance`        scale of a data set, for a fixed bandwidth
`mean_squared_distance`  mean squared distance within two samples together
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from rlpriors.rewards.validation import check_positive

__all__ = [
    "MATERN_NU",
    "energy_distance",
    "mean_squared_distance",
    "median_distance",
    "mmd_matern",
    "mmd_rbf",
    "mse",
    "sinkhorn_divergence",
]

RBF_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)

MATERN_NU = (0.5, 1.5, 2.5)
"""Allowed values of `nu` in `mmd_matern`."""


def mse(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
    """Return the mean over points and entries of (a - b)^2, with row i of `a` paired with row i of `b`."""
    if a.shape != b.shape:
        raise ValueError(
            f"`b` must have the shape of `a`, {_shape(a)}, since rows are compared in pairs. Received "
            f"{_shape(b)}; use another divergence for unpaired samples."
        )
    return (a - b).square().mean()


def mmd_rbf(
    a: Float[Tensor, "n dim"],
    b: Float[Tensor, "m dim"],
    bandwidth: float | Float[Tensor, ""],
    biased: bool = False,
) -> Float[Tensor, ""]:
    """Return the squared MMD with kernel sum_k exp(-|x - y|^2 / (bandwidth 2^k)), k = -2 ... 2.

    The unbiased estimate is the U-statistic of Gretton et al. 2012 (JMLR 13, eq. 3): its mean is 0
    between samples of one distribution, so it may be negative.  The biased estimate (their eq. 5) is
    never negative; its bias is larger for smaller samples.

    Args:
        a: points.
        b: points.
        bandwidth: a squared distance, above 0.
        biased: also compare each point with itself.
    """
    check_positive(bandwidth=bandwidth)

    def kernel(square: Tensor) -> Tensor:
        return torch.stack([torch.exp(-square / (bandwidth * factor)) for factor in RBF_FACTORS]).sum(0)

    return _discrepancy(kernel(_squares(a, a)), kernel(_squares(b, b)), kernel(_squares(a, b)), biased)


def mmd_matern(
    a: Float[Tensor, "n dim"],
    b: Float[Tensor, "m dim"],
    lengthscale: float | Float[Tensor, ""],
    nu: float = 1.5,
    biased: bool = False,
) -> Float[Tensor, ""]:
    """Return the squared MMD with a Matern kernel (Rasmussen and Williams 2006, section 4.2.1).

    The kernel's tails are heavier than a Gaussian's, so that distant points still contribute.

    Args:
        a: points.
        b: points.
        lengthscale: a distance, above 0.
        nu: smoothness: 0.5 (exponential), 1.5 or 2.5.
        biased: as in `mmd_rbf`.
    """
    check_positive(lengthscale=lengthscale)
    if nu not in MATERN_NU:
        raise ValueError(f"`nu` must be one of {MATERN_NU}. Received {nu}.")

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        scaled = _distances(x, y) * (math.sqrt(2 * nu) / lengthscale)
        if nu == 0.5:
            return torch.exp(-scaled)
        polynomial = 1 + scaled if nu == 1.5 else 1 + scaled + scaled.square() / 3
        return polynomial * torch.exp(-scaled)

    return _discrepancy(kernel(a, a), kernel(b, b), kernel(a, b), biased)


def energy_distance(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
    """Return 2 E|a - b| - E|a - a'| - E|b - b'| as a U-statistic (Szekely and Rizzo 2013, JSPI 143).

    Its mean is 0 if and only if both samples have the same distribution.  It has no bandwidth.
    """
    return -_discrepancy(_distances(a, a), _distances(b, b), _distances(a, b), biased=False)


def sinkhorn_divergence(
    a: Float[Tensor, "n dim"],
    b: Float[Tensor, "m dim"],
    epsilon: float | Float[Tensor, ""],
    n_iters: int = 50,
) -> Float[Tensor, ""]:
    """Return OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2 with cost |x - y|^2 and entropic regularization.

    This is Feydy et al. 2018 (arXiv 1810.08278), eq. 3.  Subtracting the two self-terms removes the
    bias by which the entropy shrinks a sample to its mean: the divergence is 0 for equal samples after
    any number of iterations.  Symmetric updates in the log domain; the gradient is that of the
    iterations.

    Args:
        a: points.
        b: points.
        epsilon: weight of the entropy in units of the cost, a squared distance, above 0.
        n_iters: number of updates of the dual potentials; a small `epsilon` needs more.
    """
    check_positive(epsilon=epsilon)
    if n_iters < 1:
        raise ValueError(f"`n_iters` must be at least 1. Received {n_iters}.")

    def transport(x: Tensor, y: Tensor) -> Tensor:
        cost = _squares(x, y)
        f, g = cost.new_zeros(len(x)), cost.new_zeros(len(y))
        for i in range(n_iters):
            best_f = -epsilon * ((g - cost) / epsilon - math.log(len(y))).logsumexp(1)
            best_g = -epsilon * ((f - cost.T) / epsilon - math.log(len(x))).logsumexp(1)
            # Half a step each, since both change at once; the last update is a whole step.
            last = i == n_iters - 1
            f, g = (best_f, best_g) if last else ((f + best_f) / 2, (g + best_g) / 2)
        return f.mean() + g.mean()

    return transport(a, b) - (transport(a, a) + transport(b, b)) / 2


def median_distance(x: Float[Tensor, "n dim"], max_rows: int = 1000) -> float:
    """Return the median distance between two different rows of `x`, such as demonstrations and prior data.

    Compute it once and keep it: a scale that follows the generated points changes the loss during its
    minimization.  If there are more than `max_rows` rows, evenly spaced rows are used.

    Raises:
        ValueError: there are fewer than two rows, a row is not finite, or over half of the pairs are equal.
    """
    if max_rows < 2:
        raise ValueError(f"`max_rows` must be at least 2. Received {max_rows}.")
    _check_points("x", x, 2)
    if not torch.isfinite(x).all():
        raise ValueError("`x` must be finite. Received NaN or infinity; drop or repair these rows.")
    rows = x.detach()
    if len(x) > max_rows:
        rows = rows[torch.linspace(0, len(x) - 1, max_rows, device=x.device).round().long()]
    median = float(torch.pdist(rows).median())
    if median == 0:
        raise ValueError(
            "`x` must vary, but over half of its pairs of rows are equal. Received a median distance of 0; "
            "drop constant entries or repeated rows."
        )
    return median


def mean_squared_distance(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
    """Return the mean squared distance between different points of both samples together, as a constant."""
    pooled = torch.cat([a, b]).detach()
    mean = torch.pdist(pooled).square().mean()
    return mean.clamp(min=torch.finfo(mean.dtype).tiny)  # all points are equal: any bandwidth is valid


def _squares(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    # From differences: |x|^2 + |y|^2 - 2 x.y cancels the digits of nearby points.
    _check_points("a", x, 1)
    if y.ndim != 2 or y.shape[1] != x.shape[1] or not len(y):
        raise ValueError(
            f"`b` must be [m, {x.shape[1]}] like `a`, with at least 1 point. Received {_shape(y)}."
        )
    return (x[:, None] - y[None]).square().sum(-1)


def _distances(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    square = _squares(x, y)
    nonzero = square > 0
    # The root's gradient at 0 is infinite; for coinciding points it is defined as 0.
    return torch.where(nonzero, square, 1.0).sqrt() * nonzero


def _discrepancy(
    aa: Float[Tensor, "n n"], bb: Float[Tensor, "m m"], ab: Float[Tensor, "n m"], biased: bool
) -> Float[Tensor, ""]:
    if biased:
        return aa.mean() + bb.mean() - 2 * ab.mean()
    within = []
    for name, square in (("a", aa), ("b", bb)):
        n = len(square)
        if n < 2:
            raise ValueError(
                f"`{name}` must hold at least 2 points for an unbiased estimate. Received {n}; pass more "
                "points, or `biased=True` for an MMD."
            )
        within.append((square.sum() - square.diagonal().sum()) / (n * (n - 1)))
    return within[0] + within[1] - 2 * ab.mean()


def _check_points(name: str, x: Tensor, min_points: int) -> None:
    if x.ndim != 2 or len(x) < min_points or not x.shape[1]:
        raise ValueError(f"`{name}` must be [n, dim], with n of at least {min_points}. Received {_shape(x)}.")


def _shape(x: Tensor) -> tuple[int, ...]:
    return tuple(x.shape)
