"""Tiny networks in the file format of each family, read by the real loader."""

from argparse import Namespace
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import ENCODERS, load_encoder
from rlpriors.encoders.backbones.checkpoint_files import KEY_LAYOUTS
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.encoders.preprocess import Preprocess

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 80, 64, 3), dtype=np.uint8)
TINY = {"embed_dim": 32, "depth": 2, "num_heads": 2}
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def timm() -> Any:
    ensure_torchvision()
    import timm

    return timm


def under(prefix: str, state: State) -> State:
    return {prefix + key: value for key, value in state.items()}


TWO = torch.zeros(2, 2)  # parts of the training that an encoder has no use for

# name of the encoder -> how its publisher wraps the network's weights
WRAPPED: dict[str, Callable[[State], dict[str, Any]]] = {
    "r3m-18": lambda s: {"r3m": under("module.convnet.", s) | {"module.lang_rew.pred.0.bias": TWO}},
    "vip-50": lambda s: {"vip": under("module.convnet.", s)},
    "swav-rn50": lambda s: under("module.", {**s, "projection_head.0.weight": TWO, "prototypes.weight": TWO}),
    "vc1-b": lambda s: {
        "model": {**s, "mask_token": torch.zeros(1, 1, 32), "decoder_embed.weight": TWO},
        "args": Namespace(lr=0.1),
    },
    "mocov3-vits": lambda s: {
        "epoch": 300,
        "arch": "vit_small",
        "state_dict": under("module.base_encoder.", {**s, "head.0.weight": TWO})
        | under("module.momentum_encoder.", s)
        | {"module.predictor.0.weight": TWO},
        "optimizer": {"state": {}, "param_groups": [{"lr": 0.1}]},
    },
}


@pytest.fixture(scope="module")
def published(timm: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Any, Path, Any]]:
    """For each family: its spec with a tiny network, its file, and the network the file came from."""
    root, made = tmp_path_factory.mktemp("published"), {}
    for number, (name, wrap) in enumerate(WRAPPED.items()):
        vit = name in ("vc1-b", "mocov3-vits")
        options = {"network": "vit_tiny_patch16_224", **TINY} if vit else {"network": "resnet18"}
        spec = replace(ENCODERS[name], options=options, input_size=(64, 64))
        with torch.random.fork_rng():
            torch.manual_seed(number)
            arguments = {key: value for key, value in options.items() if key != "network"}
            network = timm.create_model(
                options["network"], num_classes=KEY_LAYOUTS[spec.layout].num_classes, **arguments
            )
        torch.save(wrap(network.state_dict()), root / f"{name}.pt")
        made[name] = (spec, root / f"{name}.pt", network.eval())
    return made


@pytest.mark.parametrize("name", WRAPPED)
def test_a_published_file_fills_the_network(name: str, published: dict[str, tuple[Any, Path, Any]]) -> None:
    spec, file, network = published[name]
    encoder = load_encoder(spec, weights=file, device="cpu", allow_noncommercial=True)
    mine, theirs = encoder.backbone.network.state_dict(), network.state_dict()
    same = [key for key in theirs if key != "pos_embed"]  # from 224 to 64 pixels: interpolated
    assert set(mine) == set(theirs)
    assert all(torch.equal(mine[key], theirs[key]) for key in same)
    width = 32 if "vit" in spec.options["network"] else 512
    assert encoder.output_shape == (1024 if name == "vip-50" else width,)
    assert encoder.encode(FRAMES).isfinite().all()


def test_r3m_equals_its_own_code(timm: Any, published: dict[str, tuple[Any, Path, Any]]) -> None:
    """r3m/models: Resize(256), CenterCrop(224), division by 255, ImageNet's normalization, convnet."""
    from torchvision import transforms

    _, file, network = published["r3m-18"]
    spec = replace(ENCODERS["r3m-18"], options={"network": "resnet18"})
    frames = np.random.default_rng(1).integers(0, 256, (1, 240, 300, 3), dtype=np.uint8)
    pipeline = transforms.Compose([transforms.Resize(256, antialias=True), transforms.CenterCrop(224)])
    x = pipeline(torch.from_numpy(frames).permute(0, 3, 1, 2)).float() / 255
    x = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(x)
    encoder = load_encoder(spec, weights=file, device="cpu")
    # One level of 255: torchvision resizes in float and rounds once.
    torch.testing.assert_close(encoder.preprocess(frames), x, atol=1 / 255 / 0.224 + 1e-5, rtol=0)
    with torch.no_grad():
        expected = network(encoder.preprocess(frames))
    torch.testing.assert_close(encoder.encode(frames), expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["r3m-18", "r3m-34", "r3m-50", "vip-50"])
def test_frames_of_224_pixels_are_not_resized(name: str) -> None:
    """The published forward passes resize and crop other sizes only."""
    frames = np.random.default_rng(2).integers(0, 256, (1, 224, 224, 3), dtype=np.uint8)
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    expected = ((torch.from_numpy(frames) / 255 - mean) / std).permute(0, 3, 1, 2)
    preprocess = Preprocess(ENCODERS[name])
    torch.testing.assert_close(preprocess(frames), expected, atol=1e-5, rtol=0)
    larger = np.pad(frames, ((0, 0), (0, 1), (0, 0), (0, 0)), "edge")  # 225 x 224: resized to 256, cropped
    assert (preprocess(larger) - expected).abs().mean() > 0.1


def test_theia_is_transformers_vit_under_timms_names(tmp_path: Path) -> None:
    """The network is the same to rounding, though query, key and value became one matrix."""
    ensure_torchvision()
    import transformers

    sizes = {"hidden_size": 32, "intermediate_size": 128, "image_size": 32, "patch_size": 16}
    config = transformers.ViTConfig(**sizes, num_hidden_layers=2, num_attention_heads=2)
    network = transformers.ViTModel(config, add_pooling_layer=False).eval()
    network.save_pretrained(tmp_path)  # names in files are still those that Theia's have
    state = load_file(tmp_path / "model.safetensors")
    file = tmp_path / "theia.safetensors"
    save_file(under("backbone.model.", state) | {"translator.heads.0.weight": TWO}, file)
    options = {"network": "vit_tiny_patch16_224", **TINY}
    spec = replace(ENCODERS["theia-tiny"], options=options, input_size=(32, 32))
    encoder = load_encoder(spec, weights=file, device="cpu", allow_noncommercial=True)
    x = encoder.preprocess(FRAMES)
    with torch.no_grad():
        expected = network(x).last_hidden_state[:, 1:]
    torch.testing.assert_close(encoder(x).tokens, expected, atol=1e-4, rtol=0)
    torch.testing.assert_close(encoder.encode(FRAMES), expected.mean(1), atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", ["vip-50", "mocov3-vits"])
def test_save_and_load_round_trip(
    name: str, published: dict[str, tuple[Any, Path, Any]], tmp_path: Path
) -> None:
    spec, file, _ = published[name]
    encoder = load_encoder(spec, weights=file, device="cpu", allow_noncommercial=True)
    encoder.save(tmp_path)
    with pytest.raises(ValueError, match="cc-by-nc"):  # the license goes with the weights
        load_encoder(tmp_path, device="cpu")
    again = load_encoder(tmp_path, device="cpu", allow_noncommercial=True)
    assert again.fingerprint() == encoder.fingerprint()
    assert torch.equal(again.encode(FRAMES), encoder.encode(FRAMES))


def test_keys_must_match(published: dict[str, tuple[Any, Path, Any]], tmp_path: Path) -> None:
    spec, _, network = published["r3m-18"]
    state = network.state_dict()
    lost = {key: value for key, value in state.items() if key != "layer3.0.conv1.weight"}
    more = {**state, "layer9.weight": TWO}
    for content, message in (
        (state, r"has no keys that begin with 'convnet\.'"),
        ({"r3m": under("module.convnet.", lost)}, r"Missing key.*layer3\.0\.conv1\.weight"),
        ({"r3m": under("module.convnet.", more)}, r"Unexpected key.*layer9"),
    ):
        torch.save(content, tmp_path / "r3m.pt")
        with pytest.raises(CheckpointError, match=message):
            load_encoder(spec, weights=tmp_path / "r3m.pt", device="cpu")
    with pytest.raises(ValueError, match="`layout` must be one of"):
        load_encoder(replace(spec, layout="r4m"), weights="none", device="cpu")


def test_nothing_is_unpickled(published: dict[str, tuple[Any, Path, Any]], tmp_path: Path) -> None:
    spec, _, network = published["r3m-18"]
    torch.save(network, tmp_path / "whole.pt")
    with pytest.raises(CheckpointError, match="holds a ResNet, not the weights of a network"):
        load_encoder(spec, weights=tmp_path / "whole.pt", device="cpu")


@pytest.mark.parametrize("name", ["r3m-18", "theia-tiny", "vc1-b"])
def test_no_network_is_one_clear_error(name: str) -> None:
    with pytest.raises(FileNotFoundError, match=f"Cannot fetch the weights of '{name}'.*HF_HUB_OFFLINE"):
        load_encoder(name, device="cpu", allow_noncommercial=True)
