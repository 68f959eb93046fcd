"""Losses of implicit Q-learning by hand."""

import numpy as np
import pytest
import torch

from rlpriors.agents.offline.losses import advantage_weights, expectile_loss, q_targets


def test_expectile_loss_weighs_positive_errors_by_the_expectile() -> None:
    error = torch.tensor([2.0, -1.0, 0.0, -3.0])
    # 0.7 * 4 + 0.3 * 1 + 0 + 0.3 * 9, over 4 rows
    assert expectile_loss(error, 0.7).item() == pytest.approx(5.8 / 4)
    assert expectile_loss(error, 0.5).item() == pytest.approx(error.square().mean().item() / 2)


def test_the_minimum_of_the_expectile_loss_is_the_expectile() -> None:
    # The expectile e of {0, 1} solves tau (1 - e) = (1 - tau) e, so that it is tau.
    targets, e = torch.tensor([0.0, 1.0]), torch.tensor(0.9, requires_grad=True)
    for expectile in (0.1, 0.5, 0.9):
        values = torch.linspace(0, 1, 1001)
        losses = torch.stack([expectile_loss(targets - value, expectile) for value in values])
        assert values[losses.argmin()].item() == pytest.approx(expectile, abs=1e-3)
    expectile_loss(targets - e, 0.9).backward()
    assert e.grad is not None
    assert e.grad.item() == pytest.approx(0.0, abs=1e-6)


def test_advantage_weights_are_exponential_and_bounded() -> None:
    weights = advantage_weights(torch.tensor([-1.0, 0.0, 1.0, 50.0]), beta=3.0, max_weight=100.0)
    np.testing.assert_allclose(weights, [np.exp(-3), 1, np.exp(3), 100], rtol=1e-5)
    assert advantage_weights(torch.tensor([5.0]), beta=0.0, max_weight=100.0).item() == 1


def test_targets_stop_at_a_termination_only() -> None:
    terminated = torch.tensor([True, False])
    targets = q_targets(torch.tensor([2.0, 2.0]), torch.tensor([10.0, 10.0]), terminated, 0.5)
    assert targets.tolist() == [2.0, 7.0]
    unknown = q_targets(torch.ones(1), torch.tensor([torch.nan]), torch.tensor([True]), 0.5)
    assert unknown.tolist() == [1.0]  # the value after the end is never read
