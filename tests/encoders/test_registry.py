"""Encoders by name: short names, prefixes, entry points, and suggestions for unknown names."""

import re
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import ENCODERS, EncoderSpec, encoder_spec, load_encoder, registry
from rlpriors.encoders.backbones.checkpoint_files import KEY_LAYOUTS
from rlpriors.encoders.backbones.license import forbids_commercial_use
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision

OWN = EncoderSpec(name="outside", source="network", model_id="nature-cnn", license="mit", input_size=(40, 40))


def test_table_covers_the_families() -> None:
    assert {"nature-cnn", "impala-cnn", "resnet18", "resnet50", "dino-vits16", "dinov2-small"} <= set(
        ENCODERS
    )
    assert {"dinov2-small-reg", "dinov3-small", "clip-b32", "clip-b16", "clip-rn50"} <= set(ENCODERS)
    assert {"siglip2-b16", "mae-b16", "ijepa-h14", "swav-rn50", "mocov3-vits"} <= set(ENCODERS)
    assert {"r3m-18", "r3m-50", "vip-50", "vc1-b", "vjepa2-l", "theia-tiny", "radio-b16"} <= set(ENCODERS)


@pytest.mark.parametrize("name", ENCODERS)
def test_cards_are_consistent(name: str) -> None:
    spec = ENCODERS[name]
    assert spec.name == name
    assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name)
    assert spec.notes
    assert not (forbids_commercial_use(spec.license) and spec.commercial)
    assert spec.source != "published" or spec.layout in KEY_LAYOUTS
    assert encoder_spec(name) is spec


@pytest.mark.parametrize("name", [name for name, spec in ENCODERS.items() if spec.source == "timm"])
def test_constants_are_those_of_timm(name: str) -> None:
    """Id, normalization and license class against timm's own record."""
    ensure_torchvision()
    import timm

    spec, cfg = ENCODERS[name], timm.models.get_pretrained_cfg(ENCODERS[name].model_id)
    assert cfg is not None
    assert cfg.has_weights
    assert (spec.mean, spec.std) == (tuple(cfg.mean), tuple(cfg.std))
    assert spec.interpolation == cfg.interpolation
    assert spec.crop_pct == cfg.crop_pct
    assert spec.commercial == (not forbids_commercial_use(cfg.license))
    assert spec.head == (name.startswith("clip"))


@pytest.mark.parametrize("name", [name for name, spec in ENCODERS.items() if spec.source == "timm"])
def test_licenses_are_the_same_by_short_name_and_by_timms(name: str) -> None:
    spec = ENCODERS[name]
    assert encoder_spec(f"timm:{spec.model_id}").license == spec.license


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("resnet-18", "resnet18"),
        ("dinov2_small", "dinov2-small"),
        ("R3M-50", "r3m-50"),
        ("naturecnn", "nature-cnn"),
    ],
)
def test_close_names_are_suggested(wrong: str, right: str) -> None:
    with pytest.raises(ValueError, match=f"Did you mean .*'{right}'"):
        encoder_spec(wrong)


def test_far_names_list_all() -> None:
    with pytest.raises(ValueError, match=r"There are \['atari-cnn', 'clip-b16'"):
        encoder_spec("xyzzy")
    with pytest.raises(ValueError, match="torchhub:<folder>:<entry>"):
        encoder_spec("torchhub:only-one-part")
    with pytest.raises(ValueError, match=r"did you mean one of \[.*resnet18"):
        encoder_spec("timm:resnet18x")
    with pytest.raises(ValueError, match="did you mean one of"):
        encoder_spec("timm:resnet18.nosuchtag")


def test_folders_by_prefix_and_path(tmp_path: Path) -> None:
    load_encoder("nature-cnn", weights="none", input_size=(48, 40), device="cpu").save(tmp_path)
    for name in (tmp_path, str(tmp_path), f"local:{tmp_path}"):
        spec = encoder_spec(name)
        assert (spec.source, spec.model_id, spec.input_size) == ("local", str(tmp_path), (48, 40))


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"has no config\.json"):
        encoder_spec(f"local:{tmp_path}")
    (tmp_path / "config.json").write_text('{"model_type": "vit"}')
    with pytest.raises(CheckpointError, match=r"is named 'hf:.*'"):
        encoder_spec(tmp_path)
    (tmp_path / "config.json").write_text('{"class": "MLPReward", "settings": {}}')
    with pytest.raises(CheckpointError, match="holds a MLPReward"):
        encoder_spec(tmp_path)


def test_another_packages_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    points = {
        name: EntryPoint(name, f"{__name__}:{value}", registry.GROUP)
        for name, value in {"outside": "OWN", "broken": "re"}.items()
    }
    monkeypatch.setattr(registry, "_entry_points", lambda: points)
    assert encoder_spec("outside") == OWN
    assert load_encoder("outside", weights="none", device="cpu").output_shape == (512,)
    with pytest.raises(TypeError, match="must be an EncoderSpec"):
        encoder_spec("broken")
    with pytest.raises(ValueError, match="Did you mean 'outside'"):
        encoder_spec("outsid")


def test_a_run_folder_leads_to_its_encoder(tmp_path: Path) -> None:
    load_encoder("nature-cnn", weights="none", device="cpu").save(tmp_path / "run" / "encoder")
    with pytest.raises(ValueError, match=r"whose encoder is in '.*run/encoder'"):
        encoder_spec(str(tmp_path / "run"))
    with pytest.raises(
        ValueError, match=r"must be the folder of a saved encoder. Received .* without a `config"
    ):
        encoder_spec(str(tmp_path))
