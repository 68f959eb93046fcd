"""Small parts, against numbers worked by hand."""

import math

import pytest
import torch
from torch import nn

from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings, zero_init
from rlpriors.networks.embeddings import TimeEmbedding, sinusoidal
from rlpriors.networks.mlp import build_mlp


def test_sinusoidal_by_hand() -> None:
    # Two frequencies: 1 and 100 ** -(1/2) = 0.1.
    code = sinusoidal(torch.tensor([0, 3]), features=4, max_period=100.0)
    expected = [[1.0, 1.0, 0.0, 0.0], [math.cos(3), math.cos(0.3), math.sin(3), math.sin(0.3)]]
    torch.testing.assert_close(code, torch.tensor(expected))


def test_sinusoidal_tells_every_step_apart() -> None:
    code = sinusoidal(torch.arange(1000), features=32)
    distance = torch.cdist(code, code) + torch.eye(1000) * 9
    assert distance.min() > 0.3


@pytest.mark.parametrize("features", [0, 1, 5])
def test_sinusoidal_refuses_odd_features(features: int) -> None:
    with pytest.raises(ValueError, match=rf"`features` must be even .* Received {features}"):
        sinusoidal(torch.tensor([0]), features)


def test_time_embedding_follows_its_dtype_but_not_in_the_phase() -> None:
    embedding = TimeEmbedding(features=8, width=4)
    t = torch.tensor([998, 999])
    half = TimeEmbedding(features=8, width=4).to(torch.bfloat16)
    half.load_state_dict(embedding.state_dict())
    out = half(t)
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), embedding(t), atol=0.05, rtol=0.05)


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


def test_zero_init_takes_layers_with_and_without_bias() -> None:
    for layer in (nn.Linear(2, 3), nn.Linear(2, 3, bias=False), nn.Conv1d(2, 3, 1)):
        assert zero_init(layer) is layer
        assert all(not p.any() for p in layer.parameters())


def test_a_denoiser_without_forward_says_so() -> None:
    network = DenoiserNetwork(DenoiserSettings(horizon=2, dim=1))
    with pytest.raises(NotImplementedError, match="DenoiserNetwork does not say how"):
        network(torch.zeros(1, 2, 1), torch.tensor([0]))
