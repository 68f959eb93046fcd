"""Tiny models in transformers' format, loaded by `hf:<folder>` without a network connection."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import encoder_spec, load_encoder
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
FRAMES = np.random.default_rng(0).integers(0, 256, (2, 40, 30, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def transformers() -> Any:
    ensure_torchvision()
    import transformers

    return transformers


def models(t: Any) -> dict[str, Callable[[], Any]]:
    text = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    text |= {"vocab_size": 99, "eos_token_id": 2}
    clip = t.CLIPConfig(vision_config=SMALL, text_config=text, projection_dim=16)
    siglip = t.SiglipConfig(vision_config=SMALL, text_config=text)
    naflex = {**SMALL, "num_patches": 16}
    del naflex["image_size"]
    video = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "mlp_ratio": 2.0}
    video |= {"crop_size": 32, "patch_size": 8, "frames_per_clip": 4, "pred_hidden_size": 32}
    video |= {"pred_num_attention_heads": 2, "pred_num_hidden_layers": 1}
    return {
        "vit": lambda: t.ViTModel(t.ViTConfig(**SMALL)),
        "vit-classifier": lambda: t.ViTForImageClassification(t.ViTConfig(**SMALL)),
        "dinov2": lambda: t.Dinov2Model(t.Dinov2Config(**SMALL)),
        "dinov2-registers": lambda: t.Dinov2WithRegistersModel(t.Dinov2WithRegistersConfig(**SMALL)),
        "dinov3": lambda: t.DINOv3ViTModel(t.DINOv3ViTConfig(**SMALL, num_register_tokens=4)),
        "clip": lambda: t.CLIPModel(clip),
        "clip-vision": lambda: t.CLIPVisionModel(t.CLIPVisionConfig(**SMALL)),
        "siglip": lambda: t.SiglipModel(siglip),
        "siglip2": lambda: t.Siglip2VisionModel(t.Siglip2VisionConfig(**naflex)),
        "mae": lambda: t.ViTMAEForPreTraining(t.ViTMAEConfig(**SMALL, decoder_num_hidden_layers=1)),
        "ijepa": lambda: t.IJepaModel(t.IJepaConfig(**SMALL)),
        "radio": lambda: t.RadioModel(t.RadioConfig(**SMALL)),
        "resnet": lambda: t.ResNetModel(
            t.ResNetConfig(embedding_size=8, hidden_sizes=[8, 32], depths=[1, 1], layer_type="basic")
        ),
        "swin": lambda: t.SwinModel(
            t.SwinConfig(
                image_size=32, patch_size=4, embed_dim=16, depths=[1, 1], num_heads=[1, 1], window_size=4
            )
        ),
        "vjepa2": lambda: t.VJEPA2Model(t.VJEPA2Config(**video)),
    }


NAMES = [
    *(
        "vit",
        "vit-classifier",
        "dinov2",
        "dinov2-registers",
        "dinov3",
        "clip",
        "clip-vision",
        "siglip",
        "siglip2",
    ),
    *("mae", "ijepa", "radio", "resnet", "swin", "vjepa2"),
]
PROCESSOR = {
    "do_resize": True,
    "size": {"height": 32, "width": 32},
    "resample": 2,
    "image_mean": [0.5, 0.4, 0.3],
    "image_std": [0.2, 0.25, 0.5],
}


@pytest.fixture(scope="module")
def folders(transformers: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each model as its publisher would save it, from a fixed start that is not the library's own."""
    root, saved = tmp_path_factory.mktemp("hub"), {}
    for number, (name, build) in enumerate(models(transformers).items()):
        with torch.random.fork_rng():
            torch.manual_seed(100 + number)
            model = build()
        model.save_pretrained(root / name)
        (root / name / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
        (root / name / "README.md").write_text("---\nlicense: apache-2.0\n---\n# A tiny model\n")
        saved[name] = root / name
    return saved


def test_every_model_is_tried(transformers: Any) -> None:
    assert list(models(transformers)) == NAMES


WIDTHS = {"clip": 16, "radio": 64}  # CLIP's projection; RADIO's summary is two class tokens side by side


@pytest.mark.parametrize("name", NAMES)
def test_a_saved_model_gives_features(name: str, folders: dict[str, Path]) -> None:
    encoder = load_encoder(f"hf:{folders[name]}", device="cpu")
    features = encoder(encoder.preprocess(FRAMES))
    assert features.tokens is not None
    assert features.maps is not None
    times = 2 if name == "vjepa2" else 1  # four frames in tubes of two
    assert features.global_.shape == (2, WIDTHS.get(name, 32))
    assert features.tokens.shape == (2, 16 * times, 32)
    assert features.maps.shape == (2, 32, 4, 4)
    last = features.tokens[:, -16:] if times == 1 else features.tokens.unflatten(1, (times, 16)).mean(1)
    torch.testing.assert_close(features.maps.flatten(2).mT, last)
    assert encoder.encode(FRAMES).shape == (2, *encoder.output_shape)
    assert encoder.spec.license == "apache-2.0"


@pytest.mark.parametrize("name", NAMES)
def test_save_and_load_round_trip(name: str, folders: dict[str, Path], tmp_path: Path) -> None:
    encoder = load_encoder(f"hf:{folders[name]}", device="cpu")
    again = load_encoder(encoder.save(tmp_path), device="cpu")
    assert again.fingerprint() == encoder.fingerprint()
    torch.testing.assert_close(again.encode(FRAMES), encoder.encode(FRAMES), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "name", ["vit", "dinov2", "clip-vision", "siglip", "mae", "ijepa", "dinov3", "siglip2"]
)
def test_positions_are_interpolated_to_another_input_size(name: str, folders: dict[str, Path]) -> None:
    encoder = load_encoder(f"hf:{folders[name]}", device="cpu", input_size=(48, 24))
    maps = encoder(encoder.preprocess(FRAMES)).maps
    assert maps is not None
    assert maps.shape[2:] == (6, 3)


def test_the_vector_is_the_librarys_own(transformers: Any, folders: dict[str, Path]) -> None:
    """The published model called by hand, on frames of the exact size, gives the same numbers."""
    frames = FRAMES[:, :32]  # 32 x 30, squashed to 32 x 32
    for name, read in {
        "vit": lambda m, x: transformers.ViTModel.from_pretrained(m)(x).last_hidden_state[:, 0],
        "clip": lambda m, x: _tensor(transformers.CLIPModel.from_pretrained(m).get_image_features(x)),
        "siglip": lambda m, x: _tensor(transformers.SiglipModel.from_pretrained(m).get_image_features(x)),
        "ijepa": lambda m, x: transformers.IJepaModel.from_pretrained(m)(x).last_hidden_state.mean(1),
    }.items():
        encoder = load_encoder(f"hf:{folders[name]}", device="cpu")
        with torch.no_grad():
            expected = read(str(folders[name]), encoder.preprocess(frames))
        torch.testing.assert_close(encoder.encode(frames), expected, atol=1e-5, rtol=0)


def _tensor(out: Any) -> torch.Tensor:
    return out if isinstance(out, torch.Tensor) else out.pooler_output


def test_mae_sees_every_patch_in_its_place(folders: dict[str, Path]) -> None:
    """Its own forward pass masks three quarters, and shuffles the rest anew at every call."""
    encoder = load_encoder(f"hf:{folders['mae']}", device="cpu", readout="flatten")
    assert torch.equal(encoder.encode(FRAMES), encoder.encode(FRAMES))
    changed = FRAMES.copy()
    changed[:, :10, :7] = 255 - changed[:, :10, :7]  # the top left patch of 4 x 4
    difference = (encoder.encode(changed) - encoder.encode(FRAMES)).reshape(2, 4, 4, 32).norm(dim=-1)
    assert (difference.flatten(1).argmax(1) == 0).all()


def test_a_missing_weight_is_an_error(folders: dict[str, Path], tmp_path: Path) -> None:
    """transformers itself would fill it at random."""
    for file in folders["dinov2"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    weights = load_file(tmp_path / "model.safetensors")
    lost = next(key for key in weights if "layernorm" in key)
    save_file(
        {key: value for key, value in weights.items() if key != lost},
        tmp_path / "model.safetensors",
        metadata={"format": "pt"},
    )
    with pytest.raises(CheckpointError, match="which would be random"):
        load_encoder(f"hf:{tmp_path}", device="cpu")


def test_weights_from_a_file_or_folder_fill_the_network(folders: dict[str, Path], tmp_path: Path) -> None:
    name, file = f"hf:{folders['dinov2']}", folders["dinov2"] / "model.safetensors"
    published = load_encoder(name, device="cpu").encode(FRAMES)
    assert torch.equal(load_encoder(name, weights=file, device="cpu").encode(FRAMES), published)
    assert torch.equal(load_encoder(name, weights=folders["dinov2"], device="cpu").encode(FRAMES), published)
    with pytest.raises(CheckpointError, match="would be random"):
        load_encoder(name, weights=folders["vit"] / "model.safetensors", device="cpu")


def test_untrained_weights_must_be_requested(folders: dict[str, Path]) -> None:
    name = f"hf:{folders['vit']}"
    untrained = load_encoder(name, weights="none", device="cpu", seed=1)
    same = load_encoder(name, weights="none", device="cpu", seed=1)
    other = load_encoder(name, weights="none", device="cpu", seed=2)
    assert untrained.fingerprint() == same.fingerprint()
    assert untrained.fingerprint().difference(other.fingerprint()) == ("weights",)
    assert untrained.fingerprint().weights != load_encoder(name, device="cpu").fingerprint().weights
    assert untrained.spec.license == "none: untrained"


def test_spec_reads_the_publishers_files(folders: dict[str, Path], tmp_path: Path) -> None:
    spec = encoder_spec(f"hf:{folders['vit']}")
    assert spec.input_size == (32, 32)
    assert spec.mean == (0.5, 0.4, 0.3)
    assert spec.std == (0.2, 0.25, 0.5)
    assert (spec.interpolation, spec.resize, spec.commercial) == ("bilinear", "squash", True)

    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(ValueError, match="image processor"):
        encoder_spec(f"hf:{tmp_path}")
    crop = {"size": {"shortest_edge": 256}, "crop_size": 224, "do_center_crop": True, "resample": 3}
    crop |= {"image_mean": [0.0] * 3, "image_std": [1.0] * 3}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(crop))
    (tmp_path / "README.md").write_text("---\ntags: [x]\nlicense: other\nlicense_name: weird-nc-1.0\n---\n")
    spec = encoder_spec(f"hf:{tmp_path}")
    assert (spec.input_size, spec.crop_pct) == ((224, 224), 0.875)
    assert (spec.license, spec.commercial) == ("weird-nc-1.0", False)
    (tmp_path / "config.json").write_text("{")
    with pytest.raises(ValueError, match="is not JSON"):
        encoder_spec(f"hf:{tmp_path}")


def test_noncommercial_model_needs_consent(folders: dict[str, Path], tmp_path: Path) -> None:
    for file in folders["vit"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "README.md").write_text("---\nlicense: cc-by-nc-4.0\n---\n")
    with pytest.raises(ValueError, match=r"`allow_noncommercial`.*cc-by-nc-4.0"):
        load_encoder(f"hf:{tmp_path}", device="cpu")
    load_encoder(f"hf:{tmp_path}", device="cpu", allow_noncommercial=True)


def test_clips_and_still_clips(folders: dict[str, Path]) -> None:
    encoder = load_encoder(f"hf:{folders['vjepa2']}", device="cpu")
    assert encoder.spec.frames == 4
    still = np.repeat(FRAMES[:, None], 4, 1)
    torch.testing.assert_close(encoder.encode(still), encoder.encode(FRAMES), atol=1e-6, rtol=0)
    moving = np.random.default_rng(1).integers(0, 256, still.shape, dtype=np.uint8)
    assert not torch.allclose(encoder.encode(moving), encoder.encode(FRAMES))
    with pytest.raises(ValueError, match="clips of 4 frames"):
        encoder.encode(still[:, :3])


def test_models_that_are_no_vision_networks(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(PROCESSOR))
    (tmp_path / "config.json").write_text('{"model_type": "timm_wrapper", "architecture": "resnet18"}')
    with pytest.raises(ValueError, match="timm:<id>"):
        load_encoder(f"hf:{tmp_path}", device="cpu")
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="no network for images"):
        load_encoder(f"hf:{tmp_path}", device="cpu")
    (tmp_path / "config.json").write_text('{"model_type": "mine", "auto_map": {"AutoModel": "code.Mine"}}')
    with pytest.raises(ValueError, match="models with remote code are not supported"):
        load_encoder(f"hf:{tmp_path}", device="cpu")
    with pytest.raises(FileNotFoundError, match=r"no config\.json"):
        encoder_spec(f"hf:{tmp_path / 'empty'}")


def test_no_network_is_one_clear_error() -> None:
    with pytest.raises(FileNotFoundError, match=r"HF_HUB_OFFLINE is set.*local folder"):
        load_encoder("hf:facebook/dinov2-small", device="cpu")
    with pytest.raises(FileNotFoundError, match="'vjepa2-l'"):
        load_encoder("vjepa2-l", device="cpu")


@pytest.mark.parametrize("entry", ["_attn_implementation", "attn_implementation"])
def test_a_configuration_selects_no_code_of_a_repository(
    entry: str, folders: dict[str, Path], tmp_path: Path
) -> None:
    for file in folders["vit"].iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {entry: "someone/kernel"}))
    with pytest.raises(
        ValueError, match=rf"`{entry}` in the config\.json .*'someone/kernel'.*downloaded and run"
    ):
        load_encoder(f"hf:{tmp_path}", device="cpu")
    (tmp_path / "config.json").write_text(json.dumps(config | {entry: "eager"}))
    load_encoder(f"hf:{tmp_path}", device="cpu")
