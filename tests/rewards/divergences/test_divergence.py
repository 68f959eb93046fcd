"""Divergences: means over draws, gradients, the fixed scale, and bounds of settings."""

import math

import pytest
import torch
from jaxtyping import TypeCheckError

from rlpriors import checkpoint
from rlpriors.rewards.divergences import (
    DIVERGENCES,
    Divergence,
    DivergenceSettings,
)
from rlpriors.rewards.divergences.two_sample_statistics import mmd_rbf

A = torch.tensor([[0.0], [2.0]])
B = torch.tensor([[1.0], [4.0]])  # distances: within a 2, within b 3, between 1, 4, 1, 2


def draw(n: int, seed: int, dim: int = 3) -> torch.Tensor:
    return torch.randn(n, dim, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


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


def test_an_adaptive_bandwidth_is_that_of_the_batch() -> None:
    divergence = Divergence(DivergenceSettings("mmd-rbf", biased=True, adaptive_bandwidth=True))
    # Squared distances of the pooled 0, 2, 1, 4: 4, 1, 16, 1, 4, 9.
    assert divergence(A, B).item() == pytest.approx(mmd_rbf(A, B, 35 / 6, biased=True).item())
    assert divergence(10 * A, 10 * B).item() == pytest.approx(divergence(A, B).item(), rel=1e-4)
    a = A.clone().requires_grad_()
    divergence(a, B).backward()
    by_hand = A.clone().requires_grad_()
    mmd_rbf(by_hand, B, 35 / 6, biased=True).backward()
    torch.testing.assert_close(a.grad, by_hand.grad)
    assert divergence(torch.zeros(2, 1), torch.zeros(2, 1)).item() == pytest.approx(0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "kl"}, "kl"),
        ({"nu": 1.0}, r"`nu` must be one of \(0.5, 1.5, 2.5\). Received 1.0"),
        ({"name": "energy", "biased": True}, r"`biased` must be False unless.*Received 'energy'"),
        (
            {"name": "mmd-matern", "adaptive_bandwidth": True},
            "`adaptive_bandwidth` must be False.*matern",
        ),
        ({"epsilon": 0.0}, r"`epsilon` must be above 0. Received 0.0"),
        ({"n_iters": 0}, r"`n_iters` must be at least 1. Received 0"),
    ],
)
def test_settings_have_bounds(change: dict, message: str) -> None:
    with pytest.raises((ValueError, TypeCheckError), match=message):
        DivergenceSettings(**change)
