"""Reconstruction losses against hand-worked numbers."""

import pytest
import torch

from rlpriors.representation.losses.reconstruction import (
    gaussian_kl,
    patch_mse,
    patch_statistics,
    pixel_mse,
    smooth_l1_loss,
)


def test_pixel_mse_by_hand() -> None:
    assert pixel_mse(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[0.5, 1.0]]]])) == 0.125


def test_patch_mse_normalizes_targets() -> None:
    target = torch.tensor([[[0.1, 0.3]]])  # mean .2, deviation .1
    error = patch_mse(torch.tensor([[[-1.0, 3.0]]]), target, eps=0.0)
    assert error.item() == pytest.approx((0 + 4) / 2, abs=1e-5)
    assert patch_mse(target, target, normalize=False) == 0


def test_flat_patches_are_not_amplified() -> None:
    flat = torch.full((1, 1, 64), 0.4)
    flat[..., ::2] += 1 / 255  # one level of 8 bits
    mean, deviation = patch_statistics(flat)
    assert ((flat - mean) / deviation).abs().max() < 0.2
    assert patch_mse(torch.zeros(1, 1, 64), flat) < 0.04
    assert torch.isfinite(patch_mse(torch.zeros(1, 1, 64), torch.full((1, 1, 64), 0.4)))


def test_gaussian_kl_by_hand() -> None:
    """KL of N(1, e) from N(0, 1) is (1 + e - 1 - 1) / 2; of N(0, 1) it is 0."""
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    assert gaussian_kl(mean, log_variance).item() == pytest.approx((torch.e - 1) / 2)


def test_smooth_l1_loss_by_hand() -> None:
    error = smooth_l1_loss(torch.tensor([0.5, 3.0]), torch.zeros(2))
    assert error.item() == (0.125 + 2.5) / 2
