"""Specifications of Hugging Face models, from their configuration files.

`huggingface_spec`   specification of a model on the hub or in a local folder
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpriors.encoders.backbones.hub import hub_json, hub_license
from rlpriors.encoders.backbones.license import forbids_commercial_use
from rlpriors.encoders.spec import EncoderSpec

__all__ = ["huggingface_spec"]

# Files that define the preprocessing of a model, oldest convention first.
PROCESSOR_FILES = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")
INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # by PIL's numbers


def huggingface_spec(model_id: str) -> EncoderSpec:
    """Return the specification of `<id>`, `<id>@<revision>` or a local folder.

    Raises:
        FileNotFoundError: the hub cannot be reached, or the folder has no configuration.
        ValueError: there is no configuration of the preprocessing.
    """
    repo, _, revision = model_id.partition("@") if not Path(model_id).is_dir() else (model_id, "", "")
    name = f"hf:{model_id}"
    config = hub_json(repo, "config.json", name, revision or None)
    if config is None:
        raise FileNotFoundError(
            f"{repo} has no config.json, so it is not a model of transformers. Received {name!r}."
        )
    processors = (hub_json(repo, file, name, revision or None) for file in PROCESSOR_FILES)
    processor = next((entry for entry in processors if entry is not None), None)
    if processor is None:
        raise ValueError(
            f"{name!r} has none of {list(PROCESSOR_FILES)}, which define the preprocessing of frames. "
            "Save its image processor in the same folder, or pass an EncoderSpec to `load_encoder`."
        )
    processor = processor.get("image_processor", processor)
    license = hub_license(repo, name, revision or None)
    size, edge = _size(processor, config)
    names = config.get("architectures") or []
    projects = config.get("model_type") == "clip" or any("WithProjection" in entry for entry in names)
    return EncoderSpec(
        name=name,
        source="huggingface",
        model_id=repo,
        revision=revision or None,
        license=license,
        commercial=not forbids_commercial_use(license),
        input_size=size,
        crop_pct=min(1.0, size[0] / edge),
        interpolation=INTERPOLATIONS.get(int(processor.get("resample", 3)), "bicubic"),  # type: ignore[arg-type]
        mean=tuple(processor["image_mean"]) if processor.get("do_normalize", True) else (0.0, 0.0, 0.0),
        std=tuple(processor["image_std"]) if processor.get("do_normalize", True) else (1.0, 1.0, 1.0),
        frames=_frames(config),
        head=projects,
    )


def _size(processor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[tuple[int, int], int]:
    """Return the input size, and the shorter edge that frames are resized to before a crop."""
    # Old files hold one number, the shorter edge.
    resize: dict[str, Any]
    crop: dict[str, Any]
    resize, crop = (
        {"shortest_edge": entry} if isinstance(entry, int) else dict(entry)
        for entry in (processor.get("size", {}), processor.get("crop_size", {}))
    )
    vision = config.get("vision_config", config)
    default: Any = vision.get("image_size", vision.get("crop_size", 224))
    default = default[0] if isinstance(default, list) else default
    edge: int = resize.get("shortest_edge", resize.get("height", default))
    size = crop if processor.get("do_center_crop") and crop else resize
    height: int = size.get("height", size.get("shortest_edge", default))
    return (height, size.get("width", height)), max(edge, height)


def _frames(config: Mapping[str, Any]) -> int:
    # Clips of V-JEPA are as long as memory allows; its image evaluations use 16 frames (2506.09985, B.1).
    return min(16, config.get("frames_per_clip", 16)) if config.get("model_type") == "vjepa2" else 1
