"""Specifications of Hugging Face models, from their configuration files.

`huggingface_spec`   specification of a model on the hub or in a local folder
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rlpriors.encoders.backbones.hub import hub_json, hub_license
from rlpriors.encoders.backbones.huggingface_config import import_transformers
from rlpriors.encoders.backbones.license import forbids_commercial_use
from rlpriors.encoders.spec import EncoderSpec

__all__ = ["huggingface_spec"]

# Files that define the preprocessing of a model, oldest convention first.
PROCESSOR_FILES = ("preprocessor_config.json", "video_preprocessor_config.json", "processor_config.json")
INTERPOLATIONS = {0: "nearest", 2: "bilinear", 3: "bicubic"}  # by PIL's numbers
LARGE_EDGE = 384
"""Size from which on processors with `crop_pct` (ConvNeXt) do not crop."""
HONORED = {
    *("do_resize", "size", "resample", "do_center_crop", "crop_size", "crop_pct"),
    *("do_rescale", "rescale_factor", "do_normalize", "image_mean", "image_std"),
}
"""Fields of a processor that the specification represents."""
REQUIRED = HONORED - {"crop_size", "crop_pct"}
IRRELEVANT = {
    *("image_processor_type", "feature_extractor_type", "video_processor_type", "processor_class"),
    *("auto_map", "data_format", "input_data_format", "return_tensors", "return_metadata", "device"),
    *("default_to_square", "disable_grouping", "do_convert_rgb", "do_sample_frames", "num_frames", "fps"),
    *("video_metadata", "patch_size", "max_num_patches", "do_reduce_labels", "reduce_labels"),
    *("do_convert_annotations", "format", "mask_size", "mask_pad_size", "pad_size", "_valid_processor_keys"),
}
"""Fields without influence on the pixels of a color frame; `pad_size` acts with `do_pad` only."""


def huggingface_spec(model_id: str) -> EncoderSpec:
    """Return the specification of `<id>`, `<id>@<revision>` or a local folder.

    Raises:
        FileNotFoundError: the hub cannot be reached, the folder does not exist or has no configuration.
        ValueError: there is no configuration of the preprocessing, or it lacks a field, or it has a field
            that this library cannot represent.
    """
    repo, _, revision = model_id.partition("@") if not Path(model_id).is_dir() else (model_id, "", "")
    name = f"hf:{model_id}"
    if not Path(repo).is_dir() and (repo.startswith((".", "/", "~")) or repo.count("/") > 1):
        raise FileNotFoundError(
            f"`name` must be 'hf:<owner>/<model>' or the folder of a model. Received {name!r}, and there is "
            f"no folder {repo!r} here."
        )
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
    processor = _with_class_defaults(
        processor.get("image_processor") or processor.get("video_processor") or processor
    )
    _check_fields(processor, name)
    license = hub_license(repo, name, revision or None)
    names = config.get("architectures") or []
    projects = config.get("model_type") == "clip" or any("WithProjection" in entry for entry in names)
    vision = config.get("vision_config") or config
    channels = next((vision[key] for key in ("num_channels", "in_chans", "in_channels") if key in vision), 3)
    size, crop_pct = _size(processor, vision, name)
    mean, std = _normalization(processor, channels, name)
    return EncoderSpec(
        name=name,
        source="huggingface",
        model_id=repo,
        revision=revision or None,
        license=license,
        commercial=not forbids_commercial_use(license),
        input_size=size,
        channels=channels,
        resize="squash" if processor.get("do_resize", True) else "native",
        crop_pct=crop_pct,
        interpolation=_interpolation(processor, name),  # type: ignore[arg-type]
        mean=mean,
        std=std,
        frames=_frames(config),
        head=projects,
    )


def _with_class_defaults(processor: dict[str, Any]) -> dict[str, Any]:
    """Add the missing fields of a processor whose class transformers has."""
    kind = str(processor.get("image_processor_type") or processor.get("feature_extractor_type") or "")
    kind = kind.replace("FeatureExtractor", "ImageProcessor")
    complete = set(processor) >= REQUIRED and ("crop_size" in processor or not processor["do_center_crop"])
    if complete or not kind.endswith(("ImageProcessor", "ImageProcessorFast")):
        return processor
    defaults = getattr(import_transformers(), kind, None)
    return processor if defaults is None else {**defaults().to_dict(), **processor}


def _check_fields(processor: Mapping[str, Any], name: str) -> None:
    unsupported = {
        field: value
        for field, value in processor.items()
        if field not in HONORED | IRRELEVANT
        and not field.startswith("codebook_")  # of Flava's second network
        and not (value is None or value is False or (value == 1 and value is not True))  # a factor of 1
    }
    if unsupported:
        raise _processor_error(name, f"has fields without a counterpart here: {unsupported}")


def _interpolation(processor: Mapping[str, Any], name: str) -> str:
    if not processor.get("do_resize", True):
        return "bicubic"  # unused
    if processor.get("resample") not in INTERPOLATIONS:
        raise _processor_error(
            name, f"must have a `resample` of {INTERPOLATIONS}. Received {processor.get('resample')!r}"
        )
    return INTERPOLATIONS[processor["resample"]]


def _normalization(
    processor: Mapping[str, Any], channels: int, name: str
) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of pixels in [0, 1], with the processor's own scale."""
    scale = (
        255 * float(processor.get("rescale_factor") or 1 / 255) if processor.get("do_rescale", True) else 255
    )
    mean, std = (0.0,) * channels, (1.0,) * channels
    if processor.get("do_normalize", True):
        for field in ("image_mean", "image_std"):
            if processor.get(field) is None:
                raise _processor_error(name, f"has no `{field}`, but normalizes")
        mean, std = (
            tuple(values) if isinstance(values, list | tuple) else (values,) * channels
            for values in (processor["image_mean"], processor["image_std"])
        )
    if abs(scale - 1) < 1e-6:
        return mean, std
    return tuple(value / scale for value in mean), tuple(value / scale for value in std)


def _size(
    processor: Mapping[str, Any], vision: Mapping[str, Any], name: str
) -> tuple[tuple[int, int], float]:
    """Return the input size, and the fraction of the shorter edge that the processor's crop keeps."""
    default: Any = vision.get("image_size") or vision.get("crop_size") or 224
    default = default[0] if isinstance(default, list) else default
    resize, crop = (_edges(processor.get(field), field, name) for field in ("size", "crop_size"))
    edge = int(resize.get("shortest_edge") or resize.get("height") or default)
    size = crop if processor.get("do_center_crop") and crop else resize
    height = int(size.get("height") or size.get("shortest_edge") or default)
    crop_pct = min(1.0, height / max(edge, height))
    if processor.get("crop_pct") and height < LARGE_EDGE:
        crop_pct = float(processor["crop_pct"])
    return (height, size.get("width", height)), crop_pct


def _edges(size: Any, field: str, name: str) -> dict[str, int]:
    """Return a size as a dictionary; old files have one number, the shorter edge, or a pair."""
    if size is None:
        return {}
    if isinstance(size, int):
        return {"shortest_edge": size}
    if isinstance(size, list) and len(size) == 2:
        size = dict(zip(("height", "width"), size, strict=True))
    sizes = ({"shortest_edge"}, {"height", "width"})
    if not isinstance(size, Mapping) or set(size) not in sizes or not all(map(_is_edge, size.values())):
        raise _processor_error(
            name, f"must have a `{field}` of a shortest edge, or of height and width. Received {size!r}"
        )
    return dict(size)


def _is_edge(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def _processor_error(name: str, problem: str) -> ValueError:
    return ValueError(
        f"The image processor of {name!r} {problem}. Pass an EncoderSpec with your own preprocessing to "
        "`load_encoder`: dataclasses.replace of that of a similar model, with this `model_id`."
    )


def _frames(config: Mapping[str, Any]) -> int:
    # Clips of V-JEPA are as long as memory allows; its image evaluations use 16 frames (2506.09985, B.1).
    return min(16, config.get("frames_per_clip", 16)) if config.get("model_type") == "vjepa2" else 1
