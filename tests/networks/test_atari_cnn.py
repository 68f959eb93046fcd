"""AtariARI's network: sizes and start as published, features that agree with each other, bounds."""

import math

import pytest
import torch
from torch import nn

from rlpriors.encoders import load_encoder
from rlpriors.networks.atari_cnn import AtariCNN, AtariCNNSettings


def test_it_is_ataris_network() -> None:
    """Anand et al. 2019: 210 x 160 -> 51 x 39 -> 24 x 18 -> 11 x 8 -> 9 x 6, and 256 numbers."""
    network = AtariCNN(AtariCNNSettings())
    count = sum(parameter.numel() for parameter in network.parameters())
    assert (
        count == 65 * 32 + (32 * 16 + 1) * 64 + (64 * 16 + 1) * 128 + (128 * 9 + 1) * 64 + (64 * 54 + 1) * 256
    )
    features = network(torch.rand(2, 1, 210, 160))
    assert features.global_.shape == (2, 256)
    assert features.maps is not None
    assert features.maps.shape == (2, 128, 11, 8)
    assert (features.maps >= 0).all()
    assert (features.global_ < 0).any()  # no ReLU behind the linear layer
    torch.testing.assert_close(features.tokens, features.maps.flatten(2).mT)


def test_it_starts_orthogonal_with_the_gain_of_relu() -> None:
    network = AtariCNN(AtariCNNSettings(height=76, width=90))
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            assert layer.bias is not None
            assert not layer.bias.any()
            rows = layer.weight.detach().flatten(1)
            if len(rows) > rows.shape[1]:
                rows = rows.T
            torch.testing.assert_close(rows @ rows.T, 2 * torch.eye(len(rows)), atol=1e-4, rtol=0)


def test_all_weights_learn() -> None:
    network = AtariCNN(AtariCNNSettings(channels=3, height=84, width=84, dim=8))
    features = network(torch.rand(2, 3, 84, 84))
    (features.global_.sum() + features.maps.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("sizes", "message"),
    [({"height": 75}, "`height` must be at least 76"), ({"dim": 0}, "`dim` must be at least 1")],
)
def test_sizes_are_bounded(sizes: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AtariCNNSettings(**sizes)


def test_as_an_encoder_it_takes_whole_frames_as_they_are_and_reads_crops() -> None:
    encoder = load_encoder("atari-cnn", weights="none", device="cpu", seed=3)
    frames = torch.randint(0, 256, (2, 210, 160, 1), dtype=torch.uint8)
    expected = encoder.backbone(frames.movedim(-1, 1) / 255).global_
    torch.testing.assert_close(encoder.encode(frames), expected)
    assert math.prod(encoder.set_readout("crops(1,2)").output_shape) == 5 * 256
