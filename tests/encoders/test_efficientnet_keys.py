"""EfficientNet files in TensorFlow's naming: every key finds its layer, with and without squeezes."""

import re
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones.timm_spec import import_timm
from rlpriors.encoders.efficientnet_keys import is_tensorflow_naming, rename_efficientnet

EXPANDED = {"conv_pw": "_expand_conv", "bn1": "_bn0", "conv_dw": "_depthwise_conv", "bn2": "_bn1"}
EXPANDED |= {"conv_pwl": "_project_conv", "bn3": "_bn2"}
SIMPLE = {"conv_dw": "_depthwise_conv", "bn1": "_bn1", "conv_pw": "_project_conv", "bn2": "_bn2"}
OUTSIDE = {"conv_stem": "_conv_stem", "bn1": "_bn0", "conv_head": "_conv_head", "bn2": "_bn1"}
OUTSIDE["classifier"] = "_fc"


def tensorflow_state(network: Any) -> dict[str, Tensor]:
    """The network's weights as EfficientNet-PyTorch would name them."""
    state = network.state_dict()
    places = list(dict.fromkeys(m[1] for key in state if (m := re.match(r"blocks\.(\d+\.\d+)\.", key))))
    named = {}
    for key, value in state.items():
        if found := re.match(r"blocks\.(\d+\.\d+)\.(?:se\.conv_(reduce|expand)|(\w+))(\..*)", key):
            place, squeeze, layer, rest = found.groups()
            table = EXPANDED if f"blocks.{place}.conv_pwl.weight" in state else SIMPLE
            name = f"_se_{squeeze}" if squeeze else table[layer]
            named[f"_blocks.{places.index(place)}.{name}{rest}"] = value
        else:
            layer, _, rest = key.partition(".")
            named[f"{OUTSIDE[layer]}.{rest}"] = value
    return named


@pytest.mark.parametrize("model", ["tf_efficientnet_lite0", "tf_efficientnet_b0", "tf_efficientnet_b1"])
def test_names_are_timms(model: str) -> None:
    with torch.device("meta"):
        network = import_timm().create_model(model)
    file = tensorflow_state(network)
    assert is_tensorflow_naming(file)
    assert not is_tensorflow_naming(network.state_dict())
    renamed, state = rename_efficientnet(file), network.state_dict()
    assert list(renamed) == list(state)
    assert all(renamed[key] is file_value for key, file_value in zip(renamed, file.values(), strict=True))


def test_one_block_by_hand() -> None:
    names = ("_blocks.0._project_conv.weight", "_blocks.1._expand_conv.weight", "_blocks.1._bn2.bias")
    names += ("_blocks.1._project_conv.weight", "_blocks.2._project_conv.weight", "_blocks.2._bn2.bias")
    sizes = {names[0]: 16, names[3]: 24, names[4]: 24}
    renamed = rename_efficientnet({name: torch.zeros(sizes.get(name, 1), 1, 1, 1) for name in names})
    assert list(renamed) == [
        *("blocks.0.0.conv_pw.weight", "blocks.1.0.conv_pw.weight", "blocks.1.0.bn3.bias"),
        *("blocks.1.0.conv_pwl.weight", "blocks.1.1.conv_pw.weight", "blocks.1.1.bn2.bias"),
    ]


def test_a_users_file_loads_by_its_timm_name(tmp_path: Path) -> None:
    timm = import_timm()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = timm.create_model("tf_efficientnet_b0", num_classes=7).eval()
    file = tensorflow_state(network)
    torch.save(file, tmp_path / "mine.pth")
    encoder = load_encoder(
        "timm:tf_efficientnet_b0", weights=tmp_path / "mine.pth", input_size=(32, 32), device="cpu"
    )
    loaded, original = encoder.backbone.network.state_dict(), network.state_dict()
    assert all(torch.equal(value, original[key]) for key, value in loaded.items())
    assert set(original) - set(loaded) == {"classifier.weight", "classifier.bias"}
    del file["_blocks.3._bn1.weight"]
    torch.save(file, tmp_path / "mine.pth")
    with pytest.raises(CheckpointError, match=r"Missing key.*blocks\.2\.0\.bn2\.weight"):
        load_encoder("timm:tf_efficientnet_b0", weights=tmp_path / "mine.pth", device="cpu")


def test_a_file_of_another_size_does_not_fit(tmp_path: Path) -> None:
    with torch.random.fork_rng():
        network = import_timm().create_model("tf_efficientnet_b1")
    torch.save(tensorflow_state(network), tmp_path / "b1.pth")
    with pytest.raises(CheckpointError, match="does not fit timm's 'tf_efficientnet_lite0'"):
        load_encoder("efficientnet-lite0", weights=tmp_path / "b1.pth", device="cpu")
