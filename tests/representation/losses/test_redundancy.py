"""Variance, covariance and cross-correlation losses against hand-worked numbers."""

import math

import pytest
import torch

from rlpriors.representation.losses.redundancy import (
    barlow_twins_loss,
    batch_gaussian_kl,
    covariance_loss,
    variance_loss,
)

E = math.e


def test_variance_is_required_of_each_entry() -> None:
    z = torch.tensor([[0.0, 5.0], [2.0, 5.0]])  # standard deviations sqrt(2) and 0
    assert variance_loss(z).item() == pytest.approx(0.99 / 2, abs=1e-6)  # sqrt(eps) is 0.01
    assert variance_loss(z, 10 * torch.tensor([[0.0, 1.0], [1.0, 0.0]])).item() == pytest.approx(0.99 / 4)


def test_covariance_counts_pairs_of_different_entries() -> None:
    z = torch.tensor([[0.0, 0.0, 0.0], [1.0, 1.0, 1.0]])  # every covariance is 1/2
    assert covariance_loss(z).item() == pytest.approx(6 * 0.25 / 3)
    assert covariance_loss(z, mean=True).item() == pytest.approx(0.25)
    assert covariance_loss(z[:, None].expand(2, 4, 3), mean=True).item() == pytest.approx((2 / 7) ** 2)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert covariance_loss(apart).item() == 0


def test_barlow_twins_loss_compares_with_the_identity() -> None:
    a = torch.tensor([[1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins_loss(a, 3 * a, weight=0.5, eps=0.0).item() == pytest.approx(1)
    assert barlow_twins_loss(a, -a, weight=0.5, eps=0.0).item() == pytest.approx(9)
    apart = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    assert barlow_twins_loss(apart, apart, eps=0.0).item() == pytest.approx(0)


def test_batch_gaussian_kl_fits_a_normal_over_the_batch() -> None:
    assert batch_gaussian_kl(torch.tensor([[1.0], [3.0]]), eps=0.0).item() == pytest.approx(2)
    assert batch_gaussian_kl(torch.tensor([[-1.0, -E], [1.0, E]]), eps=0.0).item() == pytest.approx(
        (E**2 - 1 - 2) / 4
    )
