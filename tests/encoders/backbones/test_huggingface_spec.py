"""Image processors of transformers: each field is honored or refused; the pixels are transformers' own."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlpriors.encoders import encoder_spec
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.encoders.preprocess import Preprocess

FRAMES = np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)
HALF = {"image_mean": [0.5] * 3, "image_std": [0.25] * 3}
SQUARE: dict[str, Any] = {"size": {"height": 64, "width": 64}, "resample": 2}


@pytest.fixture(scope="module")
def transformers() -> Any:
    ensure_torchvision()
    import transformers

    return transformers


def write(folder: Path, processor: dict[str, Any], **config: Any) -> str:
    config = {"model_type": "vit", "image_size": 64} | config
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "preprocessor_config.json").write_text(json.dumps(processor))
    return f"hf:{folder}"


@pytest.mark.parametrize(
    "fields",
    [
        HALF,
        {"image_mean": 0.5, "image_std": 0.25},
        {**HALF, "do_rescale": False},
        {**HALF, "rescale_factor": 1 / 128},
        {"do_normalize": False},
        {"do_normalize": False, "do_rescale": False},
        {**HALF, "do_resize": False},
        {**HALF, "size": 64},
        {**HALF, "do_center_crop": True, "crop_size": {"height": 64, "width": 64}},
    ],
)
def test_frames_of_the_input_size_get_the_processors_pixels(
    fields: dict[str, Any], transformers: Any, tmp_path: Path
) -> None:
    processor = SQUARE | fields
    name = "CLIPImageProcessor" if "do_center_crop" in fields else "ViTImageProcessor"
    reference = getattr(transformers, name)(**({"do_convert_rgb": False} | processor))
    expected = torch.as_tensor(np.stack(reference(list(FRAMES), return_tensors="np")["pixel_values"]))
    spec = encoder_spec(write(tmp_path, processor))
    assert spec.input_size == (64, 64)
    pixels = Preprocess(spec)(FRAMES)
    torch.testing.assert_close(pixels, expected.float(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("do_flip_channel_order", True),
        ("do_pad", True),
        ("do_grayscale", True),
        ("include_top", True),
        ("offset", True),
        ("a_field_of_the_future", {"x": 1}),
        ("size", {"longest_edge": 64}),
        ("size", {"height": 64}),
        ("size", {"height": 64.5, "width": 64}),
        ("size", "large"),
        ("resample", 1),
        ("resample", None),
        ("image_mean", None),
        ("image_std", None),
    ],
)
def test_fields_without_a_counterpart_are_refused(field: str, value: Any, tmp_path: Path) -> None:
    name = write(tmp_path, SQUARE | HALF | {field: value})
    with pytest.raises(ValueError, match=rf"image processor of 'hf:.*{field}.*Pass an EncoderSpec"):
        encoder_spec(name)
    encoder_spec(write(tmp_path, SQUARE | HALF | {"do_pad": False, "a_field_of_the_future": None}))


def test_missing_fields_are_those_of_the_processors_class(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has no `image_mean`"):
        encoder_spec(write(tmp_path, SQUARE))
    spec = encoder_spec(write(tmp_path, {"image_processor_type": "CLIPImageProcessor"}))
    assert spec.mean == (0.48145466, 0.4578275, 0.40821073)
    assert (spec.input_size, spec.crop_pct, spec.interpolation) == ((224, 224), 1.0, "bicubic")
    old = {"feature_extractor_type": "ViTFeatureExtractor", "size": 96, "resample": 2}
    spec = encoder_spec(write(tmp_path, old))
    assert (spec.input_size, spec.mean, spec.interpolation) == ((96, 96), (0.5, 0.5, 0.5), "bilinear")


def test_sizes(tmp_path: Path) -> None:
    for size, expected in (([48, 64], (48, 64)), (None, (64, 64)), ({"shortest_edge": 80}, (80, 80))):
        assert encoder_spec(write(tmp_path, {**HALF, "resample": 2, "size": size})).input_size == expected
    crop = {"size": {"shortest_edge": 224}, "crop_pct": 0.875}
    assert encoder_spec(write(tmp_path, {**HALF, "resample": 3} | crop)).crop_pct == 0.875
    large = {"size": {"shortest_edge": 384}, "crop_pct": 0.875}
    assert encoder_spec(write(tmp_path, {**HALF, "resample": 3} | large)).crop_pct == 1


def test_channels_are_the_networks(tmp_path: Path) -> None:
    gray = {**SQUARE, "image_mean": [0.5], "image_std": [0.5]}
    assert encoder_spec(write(tmp_path, gray, num_channels=1)).channels == 1
    with pytest.raises(ValueError, match=r"`mean` must hold one finite number for each of the 1 channels"):
        encoder_spec(write(tmp_path, SQUARE | HALF, num_channels=1))


def test_a_folder_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    for name in ("hf:./models/dinov2", "hf:/no/such/folder", "hf:../x", "hf:a/b/c"):
        with pytest.raises(FileNotFoundError, match="there is no folder"):
            encoder_spec(name)
