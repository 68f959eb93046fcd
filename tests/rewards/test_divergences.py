"""Divergences: numbers by hand, means over draws, gradients, and the scale that stays."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from rlpriors import checkpoint
from rlpriors.rewards.divergences import (
    DIVERGENCES,
    Divergence,
    DivergenceSettings,
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
    with pytest.raises(ValueError, match=r"`b` must have a row for each of `a`.*\(2, 1\). Received \(3, 1\)"):
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


@pytest.mark.parametrize("name", ["mmd-rbf", "mmd-matern", "energy"])
def test_unbiased_ones_have_mean_zero_between_equal_distributions(name: str) -> None:
    rng = torch.Generator().manual_seed(0)
    pairs = torch.randn(300, 2, 8, 3, generator=rng)
    unbiased = Divergence(DivergenceSettings(name)).fit(pairs[:25].reshape(-1, 3))
    values = torch.stack([unbiased(a, b) for a, b in pairs])
    error = values.std() / math.sqrt(300)
    assert values.mean().abs() < 3 * error
    assert values.min() < 0
    if name.startswith("mmd"):
        biased = Divergence(DivergenceSettings(name, biased=True)).fit(pairs[:25].reshape(-1, 3))
        values = torch.stack([biased(a, b) for a, b in pairs])
        assert values.min() > 0
        assert values.mean() > 20 * error


@pytest.mark.parametrize("name", DIVERGENCES)
def test_gradients_are_right(name: str) -> None:
    divergence = Divergence(DivergenceSettings(name, n_iters=5)).double().fit(draw(20, 0))
    a, b = draw(4, 1).requires_grad_(), draw(4, 2).requires_grad_()
    assert torch.autograd.gradcheck(divergence, (a, b))


@pytest.mark.parametrize("name", DIVERGENCES)
def test_coinciding_points_have_finite_gradients(name: str) -> None:
    divergence = Divergence(DivergenceSettings(name)).fit(draw(20, 0))
    a = torch.zeros(4, 3).requires_grad_()
    divergence(a, torch.zeros(4, 3)).backward()
    assert a.grad is not None
    assert a.grad.isfinite().all()


@pytest.mark.parametrize("name", DIVERGENCES)
def test_descending_brings_samples_together(name: str) -> None:
    a, b = draw(12, 1).requires_grad_(), draw(12, 2) + 2
    divergence = Divergence(DivergenceSettings(name)).fit(torch.cat([a, b]).detach())
    before = divergence(a, b).item()
    optim = torch.optim.Adam([a], lr=0.1)
    for _ in range(40):
        optim.zero_grad()
        divergence(a, b).backward()
        optim.step()
    assert divergence(a, b).item() < before / 3
    assert (a.mean(0) - b.mean(0)).norm() < 1.0


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
    with pytest.raises(ValueError, match=r"`x` must be points in rows.*at least 2"):
        median_distance(torch.ones(1, 2))


@pytest.mark.parametrize("name", ["mmd-rbf", "mmd-matern", "sinkhorn"])
def test_the_scale_stays_and_travels(name: str, tmp_path) -> None:
    divergence = Divergence(DivergenceSettings(name))
    a, b = draw(6, 1), draw(6, 2)
    with pytest.raises(RuntimeError, match=rf"'{name}' divergence needs a scale.*Call `fit`"):
        divergence(a, b)
    scale = divergence.fit(draw(20, 0)).scale.clone()
    first = divergence(a, b)
    divergence(100 * a, 100 * b)
    assert divergence.scale.equal(scale)
    assert divergence(a, b).equal(first)
    folder = checkpoint.save(divergence, divergence.settings, tmp_path)
    build = {"Divergence": lambda settings: Divergence(DivergenceSettings(**settings))}
    loaded = checkpoint.load(folder, build)
    assert loaded(a, b).equal(first)


def test_a_moving_bandwidth_is_that_of_the_batch() -> None:
    moving = Divergence(DivergenceSettings("mmd-rbf", biased=True, moving=True))
    # Squared distances of the pooled 0, 2, 1, 4: 4, 1, 16, 1, 4, 9.
    assert moving(A, B).item() == pytest.approx(mmd_rbf(A, B, 35 / 6, biased=True).item())
    assert moving(10 * A, 10 * B).item() == pytest.approx(moving(A, B).item(), rel=1e-4)
    a = A.clone().requires_grad_()
    moving(a, B).backward()
    by_hand = A.clone().requires_grad_()
    mmd_rbf(by_hand, B, 35 / 6, biased=True).backward()
    torch.testing.assert_close(a.grad, by_hand.grad)
    assert moving(torch.zeros(2, 1), torch.zeros(2, 1)).item() == pytest.approx(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "kl"}, "kl"),
        ({"nu": 1.0}, r"`nu` must be one of \(0.5, 1.5, 2.5\). Received 1.0"),
        ({"name": "energy", "biased": True}, r"`biased` must be False unless.*Received 'energy'"),
        ({"name": "mmd-matern", "moving": True}, r"`moving` must be False unless.*'mmd-matern'"),
        ({"epsilon": 0.0}, r"`epsilon` must be above 0. Received 0.0"),
        ({"n_iters": 0}, r"`n_iters` must be at least 1. Received 0"),
    ],
)
def test_settings_have_bounds(change: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeCheckError), match=message):
        DivergenceSettings(**change)


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
