"""Distances between two samples of points [n, dim] and [m, dim]: differentiable, without settings.

`mse`                  mean squared difference of paired points
`mmd_rbf`              maximum mean discrepancy under five Gaussian kernels
`mmd_matern`           the same under a Matern kernel
`energy_distance`      needs no bandwidth at all
`sinkhorn_divergence`  entropic optimal transport without its bias
`median_distance`      the scale of a data set, to be taken once
`mean_square`          the mean squared distance within two samples together
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = [
    "MATERN",
    "energy_distance",
    "mean_square",
    "median_distance",
    "mmd_matern",
    "mmd_rbf",
    "mse",
    "require_positive",
    "sinkhorn_divergence",
]

RBF_FACTORS = (0.25, 0.5, 1.0, 2.0, 4.0)

MATERN = (0.5, 1.5, 2.5)
"""What `nu` of `mmd_matern` may be."""


def mse(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
    """Mean over points and entries of (a - b)^2, row i of `a` paired with row i of `b`."""
    if a.shape != b.shape:
        raise ValueError(
            f"`b` must have a row for each of `a`, since they are compared in pairs: {_shape(a)}. Received "
            f"{_shape(b)}; take another divergence where there are no pairs."
        )
    return (a - b).square().mean()


def mmd_rbf(
    a: Float[Tensor, "n dim"],
    b: Float[Tensor, "m dim"],
    bandwidth: float | Float[Tensor, ""],
    biased: bool = False,
) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy, kernel sum_k exp(-|x - y|^2 / (bandwidth 2^k)), k = -2 ... 2.

    Unbiased it is the U-statistic of Gretton et al. 2012 (JMLR 13, eq. 3): its mean is 0 between
    samples of one distribution, so it may be negative.  Biased (their eq. 5) it is never negative
    and stays above 0, the more the smaller the samples.

    Args:
        a: points.
        b: points.
        bandwidth: a squared distance, above 0.
        biased: whether a point is also compared with itself.
    """
    require_positive(bandwidth=bandwidth)

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
    """Squared maximum mean discrepancy under a Matern kernel (Rasmussen and Williams 2006, section 4.2.1).

    Its tails are heavier than a Gaussian's: far points are still felt.

    Args:
        a: points.
        b: points.
        lengthscale: a distance, above 0.
        nu: smoothness: 0.5 (exponential), 1.5 or 2.5.
        biased: as in `mmd_rbf`.
    """
    require_positive(lengthscale=lengthscale)
    if nu not in MATERN:
        raise ValueError(f"`nu` must be one of {MATERN}. Received {nu}.")

    def kernel(x: Tensor, y: Tensor) -> Tensor:
        scaled = _distances(x, y) * (math.sqrt(2 * nu) / lengthscale)
        if nu == 0.5:
            return torch.exp(-scaled)
        polynomial = 1 + scaled if nu == 1.5 else 1 + scaled + scaled.square() / 3
        return polynomial * torch.exp(-scaled)

    return _discrepancy(kernel(a, a), kernel(b, b), kernel(a, b), biased)


def energy_distance(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
    """2 E|a - b| - E|a - a'| - E|b - b'|, a U-statistic (Szekely and Rizzo 2013, JSPI 143).

    Zero in the mean between samples of one distribution and of one only; has no bandwidth.
    """
    return -_discrepancy(_distances(a, a), _distances(b, b), _distances(a, b), biased=False)


def sinkhorn_divergence(
    a: Float[Tensor, "n dim"],
    b: Float[Tensor, "m dim"],
    epsilon: float | Float[Tensor, ""],
    n_iters: int = 50,
) -> Float[Tensor, ""]:
    """OT(a, b) - OT(a, a) / 2 - OT(b, b) / 2, where OT has the cost |x - y|^2 and entropy.

    This is Feydy et al. 2018 (arXiv 1810.08278), eq. 3.  Taking off the two self-terms removes the
    bias by which entropy shrinks a sample to its mean: it is 0 for equal samples after any number
    of iterations.  Symmetric updates in the log domain; the gradient is that
    of the iterations themselves.

    Args:
        a: points.
        b: points.
        epsilon: weight of the entropy in units of the cost, a squared distance, above 0.
        n_iters: updates of the dual potentials; small `epsilon` needs more.
    """
    require_positive(epsilon=epsilon)
    if n_iters < 1:
        raise ValueError(f"`n_iters` must be at least 1. Received {n_iters}.")

    def transport(x: Tensor, y: Tensor) -> Tensor:
        cost = _squares(x, y)
        f, g = cost.new_zeros(len(x)), cost.new_zeros(len(y))
        for i in range(n_iters):
            best_f = -epsilon * ((g - cost) / epsilon - math.log(len(y))).logsumexp(1)
            best_g = -epsilon * ((f - cost.T) / epsilon - math.log(len(x))).logsumexp(1)
            # Half a step each, since both move at once; the last is a whole one.
            last = i == n_iters - 1
            f, g = (best_f, best_g) if last else ((f + best_f) / 2, (g + best_g) / 2)
        return f.mean() + g.mean()

    return transport(a, b) - (transport(a, a) + transport(b, b)) / 2


def median_distance(x: Float[Tensor, "n dim"], max_rows: int = 1000) -> float:
    """Median distance between two different rows of `x`, such as demonstrations and prior data together.

    To be taken once and then kept: a scale that follows the generated points changes the loss
    under the feet of whoever minimizes it.  Of more than `max_rows` rows, evenly spaced ones count.

    Raises:
        ValueError: fewer than two rows, or NaN or infinity, or over half of the pairs are equal.
    """
    if max_rows < 2:
        raise ValueError(f"`max_rows` must be at least 2. Received {max_rows}.")
    _rows_of("x", x, 2)
    if not torch.isfinite(x).all():
        raise ValueError("`x` must be finite. Received NaN or infinity; drop or repair these rows.")
    rows = x.detach()
    if len(x) > max_rows:
        rows = rows[torch.linspace(0, len(x) - 1, max_rows, device=x.device).round().long()]
    median = float(torch.pdist(rows).median())
    if median == 0:
        raise ValueError(
            "`x` must vary, but over half of its pairs of rows are equal. Received a median distance of 0; "
            "leave out entries that never change, or repeated rows."
        )
    return median


def mean_square(a: Float[Tensor, "n dim"], b: Float[Tensor, "m dim"]) -> Float[Tensor, ""]:
    """Mean squared distance between two different points of both samples together, as a constant."""
    pooled = torch.cat([a, b]).detach()
    mean = torch.pdist(pooled).square().mean()
    return mean.clamp(min=torch.finfo(mean.dtype).tiny)  # all points equal: any bandwidth will do


def _squares(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    # From differences: |x|^2 + |y|^2 - 2 x.y loses the digits that decide between near points.
    _rows_of("a", x, 1)
    if y.ndim != 2 or y.shape[1] != x.shape[1] or not len(y):
        raise ValueError(
            f"`b` must be points of {x.shape[1]} numbers, as `a`, at least one. Received {_shape(y)}."
        )
    return (x[:, None] - y[None]).square().sum(-1)


def _distances(x: Float[Tensor, "n dim"], y: Float[Tensor, "m dim"]) -> Float[Tensor, "n m"]:
    square = _squares(x, y)
    apart = square > 0
    # The root's gradient at 0 is infinite; for points that coincide it is taken as 0.
    return torch.where(apart, square, 1.0).sqrt() * apart


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
                f"`{name}` must hold at least 2 points for an estimate without bias. Received {n}; give "
                "more, or take `biased=True` where there is such."
            )
        within.append((square.sum() - square.diagonal().sum()) / (n * (n - 1)))
    return within[0] + within[1] - 2 * ab.mean()


def require_positive(**values: float | Tensor) -> None:
    """Raise a ValueError that names the first of `values` that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"`{name}` must be above 0. Received {float(value)}.")


def _rows_of(name: str, x: Tensor, least: int) -> None:
    if x.ndim != 2 or len(x) < least or not x.shape[1]:
        raise ValueError(
            f"`{name}` must be points in rows, [n, dim], at least {least} of them. Received {_shape(x)}."
        )


def _shape(x: Tensor) -> tuple[int, ...]:
    return tuple(x.shape)
