"""The two convolutional networks: sizes of the papers, features that agree with each other, bounds."""

from typing import Any

import pytest
import torch
from torch import nn

from rlpriors.networks.cnn import ImpalaCNN, ImpalaCNNSettings, NatureCNN, NatureCNNSettings


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def test_nature_cnn_is_the_papers() -> None:
    """Mnih et al. 2015: 84 -> 20 -> 9 -> 7, and 1,684,128 parameters below the heads."""
    network = NatureCNN(NatureCNNSettings(channels=4))
    by_hand = (4 * 64 + 1) * 32 + (32 * 16 + 1) * 64 + (64 * 9 + 1) * 64 + (64 * 49 + 1) * 512
    assert count(network) == by_hand == 1_684_128
    sizes = []
    x = torch.rand(1, 4, 84, 84)
    for layer in network.convolutions:
        x = layer(x)
        sizes.append(x.shape[-1])
    assert sizes[::2] == [20, 9, 7]


def test_impala_cnn_is_the_papers() -> None:
    """Espeholt et al. 2018, figure 3: fifteen convolutions, each section halves the map (rounded up)."""
    network = ImpalaCNN(ImpalaCNNSettings(height=72, width=96))
    convolutions = [module for module in network.modules() if isinstance(module, nn.Conv2d)]
    assert len(convolutions) == 15
    assert [layer.out_channels for layer in convolutions] == [16] * 5 + [32] * 10
    maps = network(torch.rand(1, 3, 72, 96)).maps
    assert maps is not None
    assert maps.shape == (1, 32, 9, 12)
    assert (maps >= 0).all()


@pytest.mark.parametrize(
    ("make", "settings"),
    [
        (NatureCNN, NatureCNNSettings(channels=1, height=40, width=52, dim=8)),
        (ImpalaCNN, ImpalaCNNSettings(channels=1, height=40, width=52, widths=(4, 6), dim=8)),
    ],
)
def test_tokens_are_the_maps_cells_and_all_weights_learn(make: Any, settings: Any) -> None:
    torch.manual_seed(0)  # 10 of 3000 seeds have a dead ReLU
    network = make(settings)
    features = network(torch.rand(3, 1, 40, 52))
    assert features.global_.shape == (3, 8)
    torch.testing.assert_close(features.tokens, features.maps.flatten(2).transpose(1, 2))
    (features.global_.sum() + features.maps.sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NatureCNNSettings(height=35), "`height` must be at least 36"),
        (lambda: NatureCNNSettings(channels=0), "`channels`"),
        (lambda: ImpalaCNNSettings(widths=()), "`widths` must hold"),
        (lambda: ImpalaCNNSettings(widths=(8, 0)), r"`widths\[1\]`"),
        (lambda: ImpalaCNNSettings(dim=0), "`dim`"),
    ],
)
def test_bounds(make: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
