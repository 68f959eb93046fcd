"""Two-sample statistics, with numbers by hand."""

import math

import pytest
import torch

from rlpriors.rewards.divergences.two_sample_statistics import (
    energy_distance,
    median_distance,
    mmd_matern,
    mmd_rbf,
    mse,
    sinkhorn_divergence,
)

A = torch.tensor([[0.0], [2.0]])
B = torch.tensor([[1.0], [4.0]])  # distances: within a 2, within b 3, between 1, 4, 1, 2
E = math.exp


def draw(n: int, seed: int, dim: int = 3) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_mse_by_hand() -> None:
    assert mse(A, B).item() == pytest.approx((1 + 4) / 2)
    with pytest.raises(ValueError, match=r"`b` must have the shape of `a`.*Received \(3, 1\)"):
        mse(A, torch.zeros(3, 1))


def test_mmd_rbf_by_hand() -> None:
    def kernel(square: float) -> float:
        return sum(E(-square / (2.0 * factor)) for factor in (0.25, 0.5, 1, 2, 4))

    between = (kernel(1) + kernel(16) + kernel(1) + kernel(4)) / 4
    assert mmd_rbf(A, B, 2.0).item() == pytest.approx(kernel(4) + kernel(9) - 2 * between, rel=1e-5)
    biased = (5 + kernel(4)) / 2 + (5 + kernel(9)) / 2 - 2 * between
    assert mmd_rbf(A, B, 2.0, biased=True).item() == pytest.approx(biased, rel=1e-5)


@pytest.mark.parametrize("nu", [0.5, 1.5, 2.5])
def test_mmd_matern_by_hand(nu: float) -> None:
    def kernel(distance: float) -> float:
        d = distance / 2.0
        if nu == 0.5:
            return E(-d)
        if nu == 1.5:
            return (1 + math.sqrt(3) * d) * E(-math.sqrt(3) * d)
        return (1 + math.sqrt(5) * d + 5 * d**2 / 3) * E(-math.sqrt(5) * d)

    between = (kernel(1) + kernel(4) + kernel(1) + kernel(2)) / 4
    assert mmd_matern(A, B, 2.0, nu).item() == pytest.approx(kernel(2) + kernel(3) - 2 * between, rel=1e-5)
    biased = (1 + kernel(2)) / 2 + (1 + kernel(3)) / 2 - 2 * between
    assert mmd_matern(A, B, 2.0, nu, biased=True).item() == pytest.approx(biased, rel=1e-5)


def test_energy_by_hand() -> None:
    assert energy_distance(A, B).item() == pytest.approx(2 * (1 + 4 + 1 + 2) / 4 - 2 - 3)


def test_sinkhorn_by_hand() -> None:
    # One point against one: no entropy to spend, so it is the cost.
    one, other = torch.tensor([[1.0, 2.0]]), torch.tensor([[4.0, 6.0]])
    assert sinkhorn_divergence(one, other, 0.1).item() == pytest.approx(25.0)
    # Little entropy: the best plan moves 0 to 1 and 2 to 4, at (1 + 4) / 2.
    assert sinkhorn_divergence(A, B, 0.1, 500).item() == pytest.approx(2.5, abs=1e-3)
    # Much entropy: every point goes everywhere, which leaves the squared distance of the means.
    assert sinkhorn_divergence(A, B, 1e5).item() == pytest.approx(1.5**2, abs=0.05)


@pytest.mark.parametrize("n_iters", [1, 7])
def test_sinkhorn_of_equal_samples_is_nothing(n_iters: int) -> None:
    a = draw(9, 0)
    assert sinkhorn_divergence(a, a, 0.3, n_iters).item() == pytest.approx(0, abs=1e-12)
    assert sinkhorn_divergence(a, a.flip(0), 0.3, n_iters).item() == pytest.approx(0, abs=1e-12)
    assert sinkhorn_divergence(a, a + 1, 0.3, n_iters).item() > 0.1


def test_the_median_distance_by_hand() -> None:
    x = torch.tensor([[0.0, 0.0], [3.0, 4.0], [0.0, 1.0]])  # 5, 1, sqrt(18)
    assert median_distance(x) == pytest.approx(math.sqrt(18))
    many = draw(5000, 0)
    assert median_distance(many) == median_distance(many)
    assert median_distance(many, max_rows=500) == pytest.approx(median_distance(many), rel=0.05)
    with pytest.raises(ValueError, match=r"`x` must vary"):
        median_distance(torch.ones(5, 2))
    with pytest.raises(ValueError, match=r"`x` must be finite"):
        median_distance(torch.tensor([[math.nan], [1.0]]))
    with pytest.raises(ValueError, match=r"`x` must be \[n, dim\], with n of at least 2"):
        median_distance(torch.ones(1, 2))


def test_bad_points_are_named() -> None:
    with pytest.raises(ValueError, match=r"`a` must hold at least 2 points.*Received 1"):
        energy_distance(A[:1], B)
    with pytest.raises(ValueError, match=r"`b` must hold at least 2 points.*Received 1"):
        mmd_rbf(A, B[:1], 1.0)
    with pytest.raises(ValueError, match=r"`bandwidth` must be above 0. Received 0.0"):
        mmd_rbf(A, B, 0.0)
    with pytest.raises(ValueError, match=r"`lengthscale` must be above 0"):
        mmd_matern(A, B, -1.0)
    with pytest.raises(ValueError, match=r"`n_iters` must be at least 1"):
        sinkhorn_divergence(A, B, 1.0, 0)
