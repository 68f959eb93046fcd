"""Specifications of timm networks, from timm's own configurations.

`timm_spec`     specification of an id such as "resnet18.a1_in1k"
`timm_config`   timm's pretrained configuration of an id
`timm_tags`     tags of an architecture's pretrained weights
`import_timm`   import of timm, next to any torchvision
"""

from difflib import get_close_matches
from typing import Any

from rlpriors.encoders.backbones.hub import reach_hub
from rlpriors.encoders.backbones.license import forbids_commercial_use
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.extras import missing_extra

__all__ = ["import_timm", "timm_config", "timm_spec", "timm_tags"]

PUBLISHER_LICENSES = {"openai": "mit"}
"""Licenses of weights by their publisher's tag, where timm's records of one publisher disagree."""
EXTERNAL_PREFIXES = ("hf-hub:", "hf_hub:", "local-dir:")  # ids that timm does not look up in its own list


def timm_spec(model_id: str) -> EncoderSpec:
    """Return the specification of a timm id such as "resnet18.a1_in1k".

    Frames are squashed to the input size, because agents need the borders, even if the network was
    evaluated with a crop.  `resize="shortest_crop"` restores that crop.

    Raises:
        ValueError: timm has no such network; the message names similar ones.
    """
    timm = import_timm()
    if model_id.startswith(EXTERNAL_PREFIXES):
        with reach_hub(f"timm:{model_id}", model_id):
            cfg = timm_config(timm, model_id)
    else:
        arch, _, tag = model_id.partition(".")
        if not timm.is_model(arch) or (tag and tag not in timm_tags(timm, arch)):
            known = [*timm.list_models(), *timm.list_pretrained()]
            close = get_close_matches(model_id, known, n=3)
            raise ValueError(
                f"`name` must be one of timm's {len(known)} networks after 'timm:'. Received {model_id!r}; "
                f"did you mean one of {close}?"
            )
        cfg = timm_config(timm, model_id)
    tag = model_id.partition(".")[2]
    license = PUBLISHER_LICENSES.get(tag, cfg.license or "unknown")
    return EncoderSpec(
        name=f"timm:{model_id}",
        source="timm",
        model_id=model_id,
        license=license,
        commercial=not forbids_commercial_use(license),
        gated=license == "dinov3-license",  # as for the short names
        input_size=tuple(cfg.input_size[1:]),
        channels=cfg.input_size[0],
        crop_pct=cfg.crop_pct or 1.0,
        interpolation="bilinear" if cfg.interpolation == "bilinear" else "bicubic",
        mean=tuple(cfg.mean),
        std=tuple(cfg.std),
        notes=cfg.paper_name or "",
    )


def timm_config(timm: Any, model_id: str) -> Any:
    """Return timm's pretrained configuration of an id; None for an architecture without one.

    `hf-hub:<id>` is looked up on the hub and `local-dir:<folder>` in the folder.
    """
    if not model_id.startswith(EXTERNAL_PREFIXES):
        return timm.models.get_pretrained_cfg(model_id, allow_unregistered=True)
    source, _, place = model_id.partition(":")
    if source == "local-dir":
        return timm.models.PretrainedCfg(**timm.models._hub.load_model_config_from_path(place)[0])
    return timm.models.PretrainedCfg(**timm.models.load_model_config_from_hf(place)[0])


def timm_tags(timm: Any, model_id: str) -> list[str]:
    """Return the tags of the pretrained weights of an id's architecture."""
    known = timm.list_pretrained(f"{model_id.partition('.')[0]}.*")
    return [name.partition(".")[2] for name in known]


def import_timm() -> Any:
    """Import timm, also next to a torchvision that does not match torch.

    Raises:
        ImportError: timm is not installed; the message names the extra to install.
    """
    ensure_torchvision()
    try:
        import timm
    except ImportError as error:
        raise ImportError(missing_extra(f"This encoder needs timm ({error})", "vision")) from error
    return timm
