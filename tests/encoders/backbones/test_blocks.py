"""Blocks of networks of any family, and layer-wise learning rates."""

import pytest
from torch import nn

from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones.blocks import find_blocks, layer_decay_groups, layer_ids


def backbone(name: str) -> nn.Module:
    size = (36, 36) if "nature" in name else (32, 32)
    return load_encoder(name, weights="none", input_size=size, device="cpu").backbone


@pytest.mark.parametrize(
    ("name", "blocks", "expected"),
    [
        ("vit-nano", 4, {"class_token": 0, "enter.weight": 0, "blocks.3.mlp.0.weight": 4, "norm.bias": 5}),
        ("timm:test_vit", 6, {"patch_embed.proj.weight": 0, "pos_embed": 0, "blocks.0.norm1.weight": 1}),
        ("timm:test_resnet", 4, {"conv1.0.weight": 0, "layer1.0.conv1.weight": 1, "layer4.0.bn1.bias": 4}),
        ("nature-cnn", 3, {"convolutions.0.weight": 1, "convolutions.4.bias": 3, "linear.weight": 4}),
    ],
)
def test_layer_ids(name, blocks, expected):
    network = backbone(name)
    assert len(find_blocks(network)) == blocks
    numbers = {name.removeprefix("network."): number for name, number in layer_ids(network).items()}
    assert len(numbers) == len(list(network.parameters()))
    assert {key: numbers[key] for key in expected} == expected


def test_parameters_between_blocks_and_networks_without_blocks():
    class Three(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Linear(1, 1)
            self.stage1 = nn.Linear(4, 4)
            self.between = nn.Linear(1, 1, bias=False)
            self.stage2 = nn.Linear(4, 4)
            self.last = nn.Linear(1, 1, bias=False)

    assert list(layer_ids(Three()).values()) == [0, 0, 1, 1, 1, 2, 2, 3]
    assert layer_ids(nn.Linear(2, 2)) == {"weight": 1, "bias": 1}
    assert [group["lr"] for group in layer_decay_groups(nn.Linear(2, 2), 0.3, layer_decay=0.1)] == [0.3, 0.3]


def test_every_weight_is_in_one_group_and_rates_fall_towards_the_input():
    network = backbone("vit-nano")
    groups = layer_decay_groups(network, 1.0, layer_decay=0.5, weight_decay=0.1)
    assert sorted(id(weight) for group in groups for weight in group["params"]) == sorted(
        id(weight) for weight in network.parameters()
    )
    rates = {id(weight): group["lr"] for group in groups for weight in group["params"]}
    vit = network.network
    assert [rates[id(block.mlp_norm.weight)] for block in vit.blocks] == [1 / 16, 1 / 8, 1 / 4, 1 / 2]
    assert rates[id(vit.norm.weight)] == 1
    assert rates[id(vit.enter.weight)] == rates[id(vit.class_token)] == 1 / 32
    for group in groups:
        assert {weight.ndim > 1 for weight in group["params"]} == {group["weight_decay"] > 0}
