"""build_mlp, with numbers by hand."""

import pytest
import torch
from torch import nn

from rlpriors.networks.mlp import build_mlp


def test_mlp_by_hand() -> None:
    mlp = build_mlp(2, (2,), 1, activation=nn.ReLU)
    with torch.no_grad():
        for parameter in mlp.parameters():
            parameter.fill_(1.0)
    # relu(1 + 2 + 1) twice, summed, + 1; and relu(-3 + 1) = 0 twice, + 1.
    assert mlp(torch.tensor([[1.0, 2.0], [-1.0, -2.0]])).tolist() == [[9.0], [1.0]]


def test_mlp_layers() -> None:
    assert [type(layer) for layer in build_mlp(3, (5, 4), 2)] == [
        nn.Linear, nn.SiLU, nn.Linear, nn.SiLU, nn.Linear,
    ]  # fmt: skip
    assert [(type(layer), layer.weight.shape) for layer in build_mlp(3, (), 2)] == [(nn.Linear, (2, 3))]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((0, (4,), 1), r"`in_dim` must be at least 1. Received 0"),
        ((1, (4, 0), 1), r"`hidden\[1\]` must be at least 1. Received 0"),
        ((1, (4,), -2), r"`out_dim` must be at least 1. Received -2"),
    ],
)
def test_mlp_refuses_empty_layers(sizes: tuple[int, tuple[int, ...], int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_mlp(*sizes)
