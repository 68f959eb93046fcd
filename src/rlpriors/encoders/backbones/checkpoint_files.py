"""Encoders whose authors published a checkpoint file: R3M, VIP, VC-1, Theia, MoCo v3, SwAV.

`LAYOUTS`            how the keys of each family's file become those of a timm network
`Layout`             one of them
`build_published`    the loader

The files are read as plain tensors, and every key of the network must be found in them.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.hub import hub_file
from rlpriors.encoders.backbones.timm import TimmBackbone, build_untrained, fill_timm
from rlpriors.encoders.backbones.weights import download, read_weights
from rlpriors.encoders.spec import EncoderSpec

__all__ = ["LAYOUTS", "Layout", "build_published"]

Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Layout:
    """Where a family keeps its image network, and under which names.

    Example:
        >>> layout = Layout(prefix="convnet.", drop=("fc.",))
        >>> sorted(layout.translate({"convnet.conv1": torch.zeros(1), "convnet.fc.bias": torch.zeros(1)}))
        ['conv1']
    """

    prefix: str = ""
    """What stands before the keys of the image network; others are left out."""
    drop: tuple[str, ...] = ()
    """Beginnings of keys that belong to the training only, after the prefix is taken away."""
    rename: Callable[[Weights], dict[str, Tensor]] = dict
    """To timm's names."""
    outputs: int = 0
    """Numbers that a last linear layer gives; 0 where the network ends with its features."""
    mean: bool = False
    """Whether the vector is the mean of the patches."""

    def translate(self, weights: Weights) -> dict[str, Tensor]:
        """The image network's weights under timm's names."""
        inner = {
            key.removeprefix(self.prefix): value
            for key, value in weights.items()
            if key.startswith(self.prefix)
        }
        return self.rename({key: value for key, value in inner.items() if not key.startswith(self.drop)})


def _from_transformers(weights: Weights) -> dict[str, Tensor]:
    """Keys of transformers' ViT to those of timm's: query, key and value become one matrix."""
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


LAYOUTS: dict[str, Layout] = {
    # github.com/facebookresearch/r3m: a torchvision ResNet beside a language model.
    "r3m": Layout(prefix="convnet.", drop=("fc.",)),
    # github.com/facebookresearch/vip: the same, and its linear layer is part of the representation.
    "vip": Layout(prefix="convnet.", outputs=1024),
    # github.com/facebookresearch/eai-vc, load_mae_encoder: a masked autoencoder without its decoder.
    "vc1": Layout(drop=("decoder", "mask_token", "head.")),
    # github.com/facebookresearch/moco-v3, main_lincls.py: the base encoder without its projector.
    "mocov3": Layout(prefix="base_encoder.", drop=("head.",)),
    # github.com/facebookresearch/swav: a torchvision ResNet, projector and prototypes.
    "swav": Layout(drop=("projection_head.", "prototypes.", "fc.")),
    # github.com/bdaiinstitute/theia: transformers' DeiT; the class token was not trained.
    "theia": Layout(prefix="backbone.model.", drop=("pooler.",), rename=_from_transformers, mean=True),
}


def build_published(
    spec: EncoderSpec,
    weights: str | Path,
    *,
    seed: int = 0,
    architecture: Mapping[str, Any] | None = None,
    progress: bool = True,
    **_: Any,
) -> TimmBackbone:
    """Build the network of `spec.options["network"]` and fill it from the published file, or from `weights`.

    Raises:
        FileNotFoundError: the file cannot be fetched, or there is none at `weights`.
        CheckpointError: the file is damaged, or its keys are not those of the family.
        ValueError: the spec's layout is unknown.
    """
    if spec.layout not in LAYOUTS:
        raise ValueError(f"`layout` must be one of {sorted(LAYOUTS)}. Received {spec.layout!r}.")
    layout = LAYOUTS[spec.layout]
    options = dict(spec.options)
    model = options.pop("network")
    options["num_classes"] = layout.outputs
    if weights == "none":
        return build_untrained(spec, model, options, seed=seed, architecture=architecture, mean=layout.mean)
    path = _fetch(spec, progress) if weights == "auto" else Path(weights)
    tensors = layout.translate(read_weights(path))
    if not tensors:
        raise CheckpointError(
            f"{path} holds nothing under {layout.prefix!r}: it is no file of {spec.name!r}."
        )
    return fill_timm(spec, model, options, tensors, what=str(path), mean=layout.mean)


def _fetch(spec: EncoderSpec, progress: bool) -> Path:
    if not spec.model_id.startswith("hf://"):
        return download(spec.model_id, spec.name, progress=progress)
    owner, repository, file = spec.model_id.removeprefix("hf://").split("/", 2)
    path = hub_file(f"{owner}/{repository}", file, spec.name, spec.revision)
    if path is None:
        raise FileNotFoundError(f"huggingface.co/{owner}/{repository} has no {file} for {spec.name!r}.")
    return path
