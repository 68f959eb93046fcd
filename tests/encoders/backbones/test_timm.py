"""Loading of timm's own tiny networks from local files, without a network connection."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def timm() -> Any:
    ensure_torchvision()
    import timm

    return timm


@pytest.fixture(scope="module")
def files(timm: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Weights of tiny networks, with their classifiers, as timm publishes them."""
    root, saved = tmp_path_factory.mktemp("timm"), {}
    for number, name in enumerate(("test_vit", "test_resnet")):
        with torch.random.fork_rng():
            torch.manual_seed(number)
            state = timm.create_model(name).state_dict()
        saved[name] = root / f"{name}.safetensors"
        save_file(state, saved[name])
        torch.save(
            {"state_dict": {f"module.{key}": value for key, value in state.items()}}, root / f"{name}.pth"
        )
    return saved


@pytest.mark.parametrize("name", ["test_vit", "test_resnet"])
@pytest.mark.parametrize("ending", [".safetensors", ".pth"])
def test_a_file_fills_the_network(timm: Any, files: dict[str, Path], name: str, ending: str) -> None:
    """The numbers are those of timm itself; the classifier is cut off after the check of all keys."""
    encoder = load_encoder(f"timm:{name}", weights=files[name].with_suffix(ending), device="cpu")
    reference = timm.create_model(name).eval()
    state = torch.load(files[name].with_suffix(".pth"), weights_only=True)["state_dict"]
    reference.load_state_dict({key.removeprefix("module."): value for key, value in state.items()})
    with torch.no_grad():
        expected = reference.forward_head(
            reference.forward_features(encoder.preprocess(FRAMES)), pre_logits=True
        )
    torch.testing.assert_close(encoder.encode(FRAMES), expected)
    assert encoder.backbone.network.num_classes == 0


# Class tokens, registers, pooled tokens, convolutions, a head wider than the maps, channels last.
SHAPES = {
    "test_vit": (64, (64, 10, 10)),
    "test_vit3": (96, (96, 10, 10)),
    "test_resnet": (96, (96, 5, 5)),
    "test_convnext": (64, (64, 5, 5)),
    "mobilenetv3_small_050": (1024, (288, 5, 5)),
    "vit_wee_patch16_reg1_gap_256": (256, (256, 10, 10)),
    "test_nfnet": (192, (192, 5, 5)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_one_path_for_all_networks(name: str) -> None:
    encoder = load_encoder(f"timm:{name}", weights="none", device="cpu", input_size=(160, 160))
    features = encoder(encoder.preprocess(FRAMES))
    width, maps = SHAPES[name]
    assert features.tokens is not None
    assert features.maps is not None
    assert features.global_.shape == (2, width)
    assert tuple(features.maps.shape) == (2, *maps)
    torch.testing.assert_close(features.tokens, features.maps.flatten(2).mT)


def test_swin_keeps_its_channels_last(timm: Any) -> None:
    from rlpriors.encoders.backbones.timm import TimmBackbone

    sizes = {
        "img_size": 32,
        "patch_size": 4,
        "window_size": 4,
        "embed_dim": 8,
        "depths": (1, 1),
        "num_heads": (1, 1),
    }
    network = timm.models.SwinTransformer(**sizes, num_classes=0).eval()
    x = torch.rand(1, 3, 32, 32)
    features = TimmBackbone(network, (32, 32))(x)
    assert features.maps is not None
    assert features.maps.shape == (1, 16, 4, 4)
    torch.testing.assert_close(features.global_, features.maps.mean((2, 3)))


def test_other_input_sizes_interpolate_positions(files: dict[str, Path]) -> None:
    encoder = load_encoder("timm:test_vit", weights=files["test_vit"], device="cpu", input_size=(64, 32))
    maps = encoder(encoder.preprocess(FRAMES)).maps
    assert maps is not None
    assert maps.shape[2:] == (4, 2)
    with pytest.raises(ValueError, match=r"divisible by the patches of \(16, 16\).*try \(80, 64\)"):
        load_encoder("timm:test_vit", weights="none", device="cpu", input_size=(84, 70))


@pytest.mark.parametrize("name", ["test_vit", "test_resnet", "mobilenetv3_small_050"])
def test_save_and_load_round_trip(name: str, tmp_path: Path) -> None:
    encoder = load_encoder(
        f"timm:{name}", weights="none", device="cpu", input_size=(64, 64), readout="cls+mean"
    )
    again = load_encoder(encoder.save(tmp_path), device="cpu")
    assert again.fingerprint() == encoder.fingerprint()
    assert torch.equal(again.encode(FRAMES), encoder.encode(FRAMES))


def test_clip_keeps_its_projection() -> None:
    """PEARL's network: 512 numbers for each frame, and the activation it was trained with."""
    encoder = load_encoder("clip-b32", weights="none", device="cpu", input_size=(32, 32))
    assert encoder.output_shape == (512,)
    assert encoder.backbone.network.blocks[0].mlp.act.__class__.__name__ == "QuickGELU"


def test_files_that_do_not_fit(files: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not fit timm's 'test_vit'"):
        load_encoder("timm:test_vit", weights=files["test_resnet"], device="cpu")
    state = torch.load(files["test_vit"].with_suffix(".pth"), weights_only=True)["state_dict"]
    lost = {key: value for key, value in state.items() if not key.endswith("blocks.0.norm1.weight")}
    torch.save(lost, tmp_path / "lost.pth")
    with pytest.raises(CheckpointError, match=r"Missing key.*blocks\.0\.norm1\.weight"):
        load_encoder("timm:test_vit", weights=tmp_path / "lost.pth", device="cpu")
    # A network that was cut already lacks the classifier and nothing else.
    cut = {key.removeprefix("module."): value for key, value in state.items() if "head." not in key}
    torch.save({**cut}, tmp_path / "cut.pth")
    whole = load_encoder("timm:test_vit", weights=files["test_vit"], device="cpu")
    assert torch.equal(
        load_encoder("timm:test_vit", weights=tmp_path / "cut.pth", device="cpu").encode(FRAMES),
        whole.encode(FRAMES),
    )
    del cut["blocks.0.norm1.weight"]  # timm itself would load this one without a word
    torch.save(cut, tmp_path / "cut.pth")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_encoder("timm:test_vit", weights=tmp_path / "cut.pth", device="cpu")


def test_no_weights_is_an_error_and_no_network_too() -> None:
    with pytest.raises(FileNotFoundError, match=r"Cannot fetch .*'timm:test_vit'.*HF_HUB_OFFLINE is set"):
        load_encoder("timm:test_vit", device="cpu")
    with pytest.raises(FileNotFoundError, match="'resnet18'"):
        load_encoder("resnet18", device="cpu")
    with pytest.raises(ValueError, match="cannot be 'auto': timm has none for 'convnext_atto_rms'"):
        load_encoder("timm:convnext_atto_rms", device="cpu")


def test_a_folder_that_timm_saved(timm: Any, tmp_path: Path) -> None:
    network = timm.create_model("test_vit", img_size=64, num_classes=5)
    timm.models.save_for_hf(network, tmp_path, safe_serialization=True)
    assert json.loads((tmp_path / "config.json").read_text())["architecture"] == "test_vit"
    encoder = load_encoder(f"timm:local-dir:{tmp_path}", device="cpu")
    weights = dict(encoder.backbone.network.named_parameters())
    assert torch.equal(weights["blocks.0.norm1.weight"], network.blocks[0].norm1.weight)
    assert torch.equal(weights["patch_embed.proj.weight"], network.patch_embed.proj.weight)
    again = load_encoder(encoder.save(tmp_path / "saved"), device="cpu")
    assert torch.equal(again.encode(FRAMES), encoder.encode(FRAMES))


@pytest.mark.parametrize("prefix", ["model.", "model._orig_mod.", "module.model."])
def test_lightning_checkpoints(prefix: str, files: dict[str, Path], tmp_path: Path) -> None:
    state = torch.load(files["test_resnet"].with_suffix(".pth"), weights_only=True)["state_dict"]
    inner = {prefix + key.removeprefix("module."): value for key, value in state.items()}
    torch.save({"state_dict": inner, "best": np.float64(0.3), "path": Path("x")}, tmp_path / "light.ckpt")
    expected = load_encoder("timm:test_resnet", weights=files["test_resnet"], device="cpu")
    encoder = load_encoder("timm:test_resnet", weights=tmp_path / "light.ckpt", device="cpu")
    assert torch.equal(encoder.encode(FRAMES), expected.encode(FRAMES))


def test_a_stride_ends_the_network_at_that_map(tmp_path: Path) -> None:
    options: dict[str, Any] = {"weights": "none", "input_size": (64, 64), "device": "cpu"}
    whole = load_encoder("resnet18", **options)
    cut = load_encoder("resnet18", **options, stride=8, readout="flatten")
    network, x = whole.backbone.network, whole.preprocess(FRAMES)
    with torch.no_grad():
        maps = network.maxpool(network.act1(network.bn1(network.conv1(x))))
        maps = network.layer2(network.layer1(maps))
    features = cut(x)
    assert maps.shape[1:] == (128, 8, 8)
    assert torch.equal(features.maps, maps)
    assert torch.equal(features.global_, maps.mean((2, 3)))
    assert cut.output_shape == (64 * 128,)
    assert not any(key.startswith(("network.layer3", "network.layer4")) for key in cut.backbone.state_dict())
    assert set(cut.fingerprint().difference(whole.fingerprint())) == {"spec", "weights", "readout"}
    cut.save(tmp_path)
    again = load_encoder(tmp_path, device="cpu", stride=8)
    assert torch.equal(again.encode(FRAMES), cut.encode(FRAMES))
    assert again.fingerprint() == cut.fingerprint()
    with pytest.raises(ValueError, match=r"`stride` of a saved encoder is fixed, here at 8. Received 16"):
        load_encoder(tmp_path, device="cpu", stride=16)


@pytest.mark.parametrize(
    ("name", "stride", "message"),
    [
        ("resnet18", 7, r"`stride` must be one of \[2, 4, 8, 16, 32\] for ResNet. Received 7"),
        ("resnet18", 0, "`stride` must be at least 1, or None. Received 0"),
        ("timm:test_vit", 16, "`stride` must be None for VisionTransformer, which has maps of one size only"),
        ("nature-cnn", 8, "`stride` must be None for 'nature-cnn': only networks of timm"),
        ("clip-rn50", 8, "without their projection head"),
    ],
)
def test_strides_that_a_network_does_not_have(name: str, stride: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_encoder(name, weights="none", stride=stride, device="cpu")
