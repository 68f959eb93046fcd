"""The card of a Hugging Face model, from the files that its publisher saved.

`huggingface_spec`   of a model on the hub or in a local folder
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpriors.encoders.backbones.hub import hub_json, hub_license
from rlpriors.encoders.backbones.license import forbids_commercial_use
from rlpriors.encoders.spec import EncoderSpec

__all__ = ["huggingface_spec"]

# Where a model's frames are described, oldest custom first.
PROCESSORS = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")
FILTERS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # PIL's numbers


def huggingface_spec(model_id: str) -> EncoderSpec:
    """The card of `<id>`, `<id>@<revision>` or of a local folder, from its configuration files.

    Raises:
        FileNotFoundError: the hub cannot be reached, or the folder has no configuration.
        ValueError: nothing says how its frames are normalized.
    """
    place, _, revision = model_id.partition("@") if not Path(model_id).is_dir() else (model_id, "", "")
    name = f"hf:{model_id}"
    config = hub_json(place, "config.json", name, revision or None)
    if config is None:
        raise FileNotFoundError(
            f"{place} has no config.json, so it is no model of transformers. Received {name!r}."
        )
    found = (hub_json(place, file, name, revision or None) for file in PROCESSORS)
    processor = next((entry for entry in found if entry is not None), None)
    if processor is None:
        raise ValueError(
            f"{name!r} has none of {list(PROCESSORS)}, so nothing says how its frames are to be prepared. "
            "Save its image processor in the same folder, or give `load_encoder` an EncoderSpec of your own."
        )
    processor = processor.get("image_processor", processor)
    license = hub_license(place, name, revision or None)
    size, edge = _size(processor, config)
    names = config.get("architectures") or []
    projects = config.get("model_type") == "clip" or any("WithProjection" in entry for entry in names)
    return EncoderSpec(
        name=name,
        source="huggingface",
        model_id=place,
        revision=revision or None,
        license=license,
        commercial=not forbids_commercial_use(license),
        input_size=size,
        crop_pct=min(1.0, size[0] / edge),
        interpolation=FILTERS.get(int(processor.get("resample", 3)), "bicubic"),  # type: ignore[arg-type]
        mean=tuple(processor["image_mean"]) if processor.get("do_normalize", True) else (0.0, 0.0, 0.0),
        std=tuple(processor["image_std"]) if processor.get("do_normalize", True) else (1.0, 1.0, 1.0),
        frames=_frames(config),
        head=projects,
    )


def _size(processor: Mapping[str, Any], config: Mapping[str, Any]) -> tuple[tuple[int, int], int]:
    """Height and width that the network sees, and the edge that frames are resized to before a crop."""
    # Old files hold a number, the shorter edge.
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
    seen = crop if processor.get("do_center_crop") and crop else resize
    height: int = seen.get("height", seen.get("shortest_edge", default))
    return (height, seen.get("width", height)), max(edge, height)


def _frames(config: Mapping[str, Any]) -> int:
    # Clips of V-JEPA are as long as memory allows; its image evaluations use 16 frames (2506.09985, B.1).
    return min(16, config.get("frames_per_clip", 16)) if config.get("model_type") == "vjepa2" else 1
