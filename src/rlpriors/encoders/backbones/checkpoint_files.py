"""Encoders whose authors published a checkpoint file: R3M, VIP, VC-1, Theia, MoCo v3, SwAV.

`KEY_LAYOUTS`             key layouts of the families' files
`KeyLayout`               mapping from the keys of a checkpoint file to those of a timm network
`build_from_checkpoint`   loader

The files are read as plain tensors.  They must contain every key of the network.
"""

import importlib.util
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.hub import hub_file
from rlpriors.encoders.backbones.timm import TimmBackbone, build_untrained, load_timm_weights
from rlpriors.encoders.backbones.weights import download, read_weights
from rlpriors.encoders.efficientnet_keys import rename_efficientnet
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.extras import missing_extra

__all__ = ["KEY_LAYOUTS", "KeyLayout", "build_from_checkpoint"]

Weights = Mapping[str, Tensor]
HUB_PREFIX, PACKAGE_PREFIX = "hf://", "package://"
FALLBACKS = {
    "https://dl.fbaipublicfiles.com/eai-vc/vc1_vitb.pth": "hf://facebook/vc1-base/pytorch_model.bin",
    "https://dl.fbaipublicfiles.com/eai-vc/vc1_vitl.pth": "hf://facebook/vc1-large/pytorch_model.bin",
}
"""Second places of files: used if the first cannot be reached."""


@dataclass(frozen=True)
class KeyLayout:
    """Mapping from the keys of a checkpoint file to those of a timm network.

    Example:
        >>> layout = KeyLayout(prefix="convnet.", drop_prefixes=("fc.",))
        >>> sorted(layout.translate({"convnet.conv1": torch.zeros(1), "convnet.fc.bias": torch.zeros(1)}))
        ['conv1']
    """

    prefix: str = ""
    """Prefix of the keys of the image network; other keys are left out."""
    drop_prefixes: tuple[str, ...] = ()
    """Prefixes of keys that are used in training only, after `prefix` is removed."""
    rename_keys: Callable[[Weights], dict[str, Tensor]] = dict
    """Function that renames the keys to those of timm."""
    num_classes: int = 0
    """Outputs of the last linear layer; 0 for a network that ends with its features."""
    classifier: str = ""
    """Name of the last linear layer if it classifies images: it is built only for `EncoderSpec.head`."""
    mean_pool: bool = False
    """Mean of the patch tokens as the global vector."""

    def translate(self, weights: Weights) -> dict[str, Tensor]:
        """Return the image network's weights under timm's keys."""
        inner = {
            key.removeprefix(self.prefix): value
            for key, value in weights.items()
            if key.startswith(self.prefix)
        }
        return self.rename_keys(
            {key: value for key, value in inner.items() if not key.startswith(self.drop_prefixes)}
        )


def _from_transformers(weights: Weights) -> dict[str, Tensor]:
    """Rename the keys of transformers' ViT to timm's; query, key and value become one matrix."""
    names = {
        "embeddings.cls_token": "cls_token",
        "embeddings.position_embeddings": "pos_embed",
        "embeddings.patch_embeddings.projection.": "patch_embed.proj.",
        "encoder.layer.": "blocks.",
        "layernorm_before.": "norm1.",
        "layernorm_after.": "norm2.",
        "layernorm.": "norm.",
        "attention.output.dense.": "attn.proj.",
        "intermediate.dense.": "mlp.fc1.",
        "output.dense.": "mlp.fc2.",
    }
    renamed: dict[str, Tensor] = {}
    for key, value in weights.items():
        for old, new in names.items():
            key = key.replace(old, new)
        renamed[key] = value
    for key in [key for key in renamed if ".attention.attention.query." in key]:
        parts = [renamed.pop(key.replace("query", part)) for part in ("query", "key", "value")]
        renamed[key.replace("attention.attention.query", "attn.qkv")] = torch.cat(parts)
    return renamed


KEY_LAYOUTS: dict[str, KeyLayout] = {
    # github.com/facebookresearch/r3m: a torchvision ResNet next to a language model.
    "r3m": KeyLayout(prefix="convnet.", drop_prefixes=("fc.",)),
    # github.com/facebookresearch/vip: the same, and its linear layer is part of the representation.
    "vip": KeyLayout(prefix="convnet.", num_classes=1024),
    # github.com/facebookresearch/eai-vc, load_mae_encoder: a masked autoencoder without its decoder.
    "vc1": KeyLayout(drop_prefixes=("decoder", "mask_token", "head.")),
    # github.com/facebookresearch/moco-v3, main_lincls.py: the base encoder without its projector.
    "mocov3": KeyLayout(prefix="base_encoder.", drop_prefixes=("head.",)),
    # github.com/facebookresearch/swav: a torchvision ResNet, projector and prototypes.
    "swav": KeyLayout(drop_prefixes=("projection_head.", "prototypes.", "fc.")),
    # github.com/bdaiinstitute/theia: transformers' DeiT; the class token was not trained.
    "theia": KeyLayout(
        prefix="backbone.model.", drop_prefixes=("pooler.",), rename_keys=_from_transformers, mean_pool=True
    ),
    # EfficientNet-PyTorch and its descendants: TensorFlow's naming.
    "efficientnet": KeyLayout(rename_keys=rename_efficientnet, num_classes=1000, classifier="classifier"),
}


def build_from_checkpoint(
    spec: EncoderSpec,
    weights: str | Path,
    *,
    seed: int = 0,
    architecture: Mapping[str, Any] | None = None,
    progress: bool = True,
    **_: Any,
) -> TimmBackbone:
    """Build the network of `spec.options["network"]`, with weights from the published file or `weights`.

    Raises:
        FileNotFoundError: the file cannot be downloaded, or `weights` does not exist.
        CheckpointError: the file is damaged, or its keys do not match the family.
        ValueError: the key layout of the spec is unknown.
    """
    if spec.layout not in KEY_LAYOUTS:
        raise ValueError(f"`layout` must be one of {sorted(KEY_LAYOUTS)}. Received {spec.layout!r}.")
    layout = KEY_LAYOUTS[spec.layout]
    options = dict(spec.options)
    model = options.pop("network")
    without_classifier = bool(layout.classifier) and not spec.head
    options["num_classes"] = 0 if without_classifier else layout.num_classes
    if weights == "none":
        return build_untrained(
            spec, model, options, seed=seed, architecture=architecture, mean_pool=layout.mean_pool
        )
    path = _checkpoint_path(spec, progress) if weights == "auto" else Path(weights)
    tensors = layout.translate(read_weights(path))
    if without_classifier:
        tensors = {k: value for k, value in tensors.items() if not k.startswith(f"{layout.classifier}.")}
    elif layout.classifier and f"{layout.classifier}.weight" in tensors:
        options["num_classes"] = len(tensors[f"{layout.classifier}.weight"])
    if not tensors:
        raise CheckpointError(
            f"{path} has no keys that begin with {layout.prefix!r}. Pass the checkpoint file of "
            f"{spec.name!r}."
        )
    return load_timm_weights(spec, model, options, tensors, source=str(path), mean_pool=layout.mean_pool)


def _checkpoint_path(spec: EncoderSpec, progress: bool) -> Path:
    try:
        return _fetch(spec, spec.model_id, progress)
    except FileNotFoundError as error:
        if spec.model_id not in FALLBACKS:
            raise
        try:
            return _fetch(spec, FALLBACKS[spec.model_id], progress)
        except FileNotFoundError:
            raise error from None


def _fetch(spec: EncoderSpec, place: str, progress: bool) -> Path:
    if place.startswith(PACKAGE_PREFIX):
        return _package_file(spec, place)
    if not place.startswith(HUB_PREFIX):
        return download(place, spec.name, progress=progress)
    owner, repository, file = place.removeprefix(HUB_PREFIX).split("/", 2)
    path = hub_file(f"{owner}/{repository}", file, spec.name, spec.revision)
    if path is None:
        raise FileNotFoundError(f"huggingface.co/{owner}/{repository} has no {file} for {spec.name!r}.")
    return path


def _package_file(spec: EncoderSpec, place: str) -> Path:
    """Return the path of a file in an installed package, which is not imported."""
    package, file = place.removeprefix(PACKAGE_PREFIX).split("/", 1)
    found = importlib.util.find_spec(package)
    path = Path(found.origin).parent / file if found is not None and found.origin else None
    if path is None or not path.is_file():
        raise FileNotFoundError(
            missing_extra(
                f"The weights of {spec.name!r} need the package {package.replace('_', '-')!r}", "vision"
            )
        )
    return path
