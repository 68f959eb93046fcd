"""Ensembles of perceptrons: each member is a perceptron of its own."""

import pytest
import torch
from torch import nn

from rlpriors.networks.ensemble import EnsembleMLP


def test_each_member_is_a_perceptron() -> None:
    members, x = EnsembleMLP(3, 2, (4, 5), 1), torch.randn(3, 6, 2)
    for i in range(3):
        h = x[i]
        for layer in range(3):
            h = (nn.functional.silu(h) if layer else h) @ members.weights[layer][i] + members.biases[layer][i]
        torch.testing.assert_close(members(x)[i], h)


def test_members_have_weights_and_gradients_of_their_own() -> None:
    members = EnsembleMLP(2, 2, (4,), 1)
    assert not torch.equal(members.weights[0][0], members.weights[0][1])
    members(torch.ones(2, 3, 2))[0].sum().backward()
    grad = members.weights[0].grad
    assert grad is not None
    assert grad[0].abs().sum() > 0
    assert grad[1].abs().sum() == 0


def test_weights_start_within_the_bound_of_linear_layers() -> None:
    members = EnsembleMLP(50, 16, (), 8)
    assert members.weights[0].abs().max() <= 0.25
    assert members.weights[0].abs().max() > 0.24
    assert members.biases[0].shape == (50, 1, 8)


@pytest.mark.parametrize("sizes", [(0, 2, (4,), 1), (2, 0, (4,), 1), (2, 2, (0,), 1), (2, 2, (4,), 0)])
def test_sizes_below_one(sizes: tuple) -> None:
    with pytest.raises(ValueError, match=r"must be at least 1\. Received 0"):
        EnsembleMLP(*sizes)
