"""Likelihoods and the entropy bottleneck against hand-worked numbers."""

import math

import pytest
import torch

from rlpriors.representation.losses.likelihood import (
    categorical_nll,
    ceb_loss,
    gaussian_log_prob,
    gaussian_nll,
)


def test_gaussian_log_prob() -> None:
    zero = torch.zeros(1, 2)
    assert gaussian_log_prob(zero, zero, zero).item() == pytest.approx(-math.log(2 * math.pi))
    one = torch.ones(1, 1)
    expected = -0.125 - math.log(2) - 0.5 * math.log(2 * math.pi)
    assert gaussian_log_prob(one, 0 * one, math.log(2) * one).item() == pytest.approx(expected)


def test_nll_is_averaged_over_steps_and_entries() -> None:
    logits = torch.tensor([[[math.log(3), 0.0], [0.0, 0.0]]])
    assert categorical_nll(logits, torch.tensor([[0, 1]])).tolist() == pytest.approx(
        [(math.log(4 / 3) + math.log(2)) / 2]
    )
    act = torch.tensor([[1.0, 0.0]])
    expected = (0.5 + math.log(2 * math.pi)) / 2
    assert gaussian_nll(torch.zeros(1, 2), torch.zeros(2), act).tolist() == pytest.approx([expected])


def test_ceb_loss_penalizes_residual_information() -> None:
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    assert ceb_loss(zero, zero, zero, one, zero, beta=0.3).item() == pytest.approx(0.15)
    apart = torch.tensor([[0.0], [2.0]])
    loss = ceb_loss(apart, apart, 0 * apart, apart, 0 * apart, beta=0.3)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-2)))
