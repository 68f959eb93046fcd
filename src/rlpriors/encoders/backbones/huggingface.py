"""Vision networks of Hugging Face transformers as backbones.

`HuggingFaceBackbone`   backbone of a transformers network
`build_huggingface`     loader: a model of the hub, a local folder, a file, or an untrained network

transformers initializes missing weights randomly and only logs it.  Here missing weights are an
error.  Weights beyond the vision network (text towers, decoders, classifiers) are left out.
"""

import inspect
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backbones.hub import hub_json, reach_hub
from rlpriors.encoders.backbones.huggingface_config import (
    check_implementations,
    config_fields,
    import_transformers,
)
from rlpriors.encoders.backbones.weights import read_weights, seeded_init
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["HuggingFaceBackbone", "build_huggingface"]

# Vision towers of models of images and text.
TOWERS = {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel", "siglip2": "Siglip2VisionModel"}


class HuggingFaceBackbone(Backbone):
    """Backbone of a transformers network; positions are interpolated to other input sizes.

    The vector is CLIP's projection, the family's own pooling (SigLIP, DINOv2, RADIO's summary,
    convolutional networks), otherwise the class token, otherwise the mean of the patches.  Tokens of
    clips are ordered by time first; maps are averaged over time.

    Example:
        >>> from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
        >>> _ = ensure_torchvision()
        >>> from transformers import Dinov2Config, Dinov2Model
        >>> config = Dinov2Config(image_size=28, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
        >>> features = HuggingFaceBackbone(Dinov2Model(config).eval())(torch.rand(1, 3, 28, 28))
        >>> features.global_.shape, features.maps.shape
        (torch.Size([1, 8]), torch.Size([1, 8, 2, 2]))
    """

    def __init__(self, network: Any) -> None:
        config = network.config
        data = json.loads(config.to_json_string(use_diff=False))
        fields = {name: data[name] for name in sorted(config_fields(type(config)) & set(data))}
        super().__init__({"config": {"model_type": config.model_type, **fields}})
        self.network: Any = network
        self.family = str(config.model_type)
        self.interpolates = "interpolate_pos_encoding" in inspect.signature(network.forward).parameters
        patch = getattr(config, "patch_size", None)
        self.patch: Any = (patch, patch) if isinstance(patch, int) else patch

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        out = self.network(**self._arguments(x))
        last = out.last_hidden_state
        pooled = out.get("image_embeds", out.get("pooler_output", out.get("summary")))
        if last.ndim == 4:
            pooled = last.mean((2, 3)) if pooled is None else pooled.flatten(1)
            return Features(pooled, last.flatten(2).mT, last)
        grid = self._grid(last.shape[1], x.shape[-2:], x.shape[1] if x.ndim == 5 else 1)
        prefix = last.shape[1] - math.prod(grid) if grid else 0
        tokens = last[:, prefix:]
        if pooled is None:
            pooled = last[:, 0] if prefix else tokens.mean(1)
        maps = rearrange(tokens, "b (t h w) d -> b t d h w", h=grid[1], w=grid[2]).mean(1) if grid else None
        return Features(pooled, tokens, maps)

    def _arguments(self, x: Tensor) -> dict[str, Any]:
        if x.ndim == 5:
            return {"pixel_values_videos": x, "skip_predictor": True}
        if self.family == "siglip2_vision_model":
            # Its input is patches of an image.
            rows, columns = x.shape[2] // self.patch[0], x.shape[3] // self.patch[1]
            patches = rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=self.patch[0], q=self.patch[1])
            shapes = torch.tensor([[rows, columns]], device=x.device).expand(len(x), 2)
            mask = torch.ones(patches.shape[:2], dtype=torch.long, device=x.device)
            return {"pixel_values": patches, "pixel_attention_mask": mask, "spatial_shapes": shapes}
        arguments: dict[str, Any] = {"pixel_values": x}
        if self.interpolates:
            arguments["interpolate_pos_encoding"] = self._is_resized(x)
        if self.family == "vit_mae":
            # Even without masking (see `_network_class`), random noise would shuffle the patches; increasing
            # values keep their order.
            count = math.prod(size // step for size, step in zip(x.shape[-2:], self.patch, strict=True))
            arguments["noise"] = torch.arange(count, device=x.device).expand(len(x), -1) / count
        return arguments

    def _is_resized(self, x: Tensor) -> bool:
        size = getattr(self.network.config, "image_size", None)
        return size is not None and tuple(x.shape[-2:]) != (
            (size, size) if isinstance(size, int) else tuple(size)
        )

    def _grid(self, count: int, size: torch.Size, frames: int) -> tuple[int, int, int] | None:
        if not self.patch:
            return None
        if any(edge % step for edge, step in zip(size, self.patch, strict=True)):
            raise ValueError(
                f"`input_size` {tuple(size)} is not divisible by the patches of {tuple(self.patch)}"
            )
        rows, columns = (edge // step for edge, step in zip(size, self.patch, strict=True))
        time = max(1, frames // getattr(self.network.config, "tubelet_size", 1))
        # Networks that merge patches (Swin) end with a coarser grid and without class tokens.
        while time * rows * columns > count and rows % 2 == columns % 2 == 0:
            rows, columns = rows // 2, columns // 2
        return (time, rows, columns) if time * rows * columns <= count else None


def build_huggingface(
    spec: EncoderSpec,
    weights: str | Path,
    *,
    seed: int = 0,
    architecture: Mapping[str, Any] | None = None,
    **_: Any,
) -> HuggingFaceBackbone:
    """Build the network of `spec.model_id`, or the network of `architecture`.

    `weights` may also be a folder that transformers saved.

    Raises:
        FileNotFoundError: the hub cannot be reached, or the file does not exist.
        CheckpointError: the weights are damaged or do not match the network.
        ValueError: the model is not a vision network of transformers, or its configuration names code of a
            repository.
    """
    transformers = import_transformers()
    if architecture is not None:
        kind = architecture["config"]["model_type"]
        known = config_fields(transformers.CONFIG_MAPPING[kind])
        data = {name: value for name, value in architecture["config"].items() if name in known}
        config = transformers.AutoConfig.for_model(kind, **data)
        return HuggingFaceBackbone(_create(transformers, spec, config, seed))
    folder = Path(weights).is_dir()
    repo = str(weights) if folder else spec.model_id
    revision = None if folder else spec.revision
    raw = hub_json(repo, "config.json", spec.name, revision) or {}
    if raw.get("model_type") not in transformers.CONFIG_MAPPING or raw["model_type"] == "timm_wrapper":
        raise ValueError(
            f"{spec.name!r} is a {raw.get('model_type')!r}, which is not part of transformers. Name a timm "
            "network by 'timm:<id>'; models with remote code are not supported."
        )
    check_implementations(raw, spec.name)
    with reach_hub(spec.name, repo):
        config = transformers.AutoConfig.from_pretrained(repo, revision=revision, trust_remote_code=False)
    if weights == "none":
        return HuggingFaceBackbone(_create(transformers, spec, config, seed))
    if weights == "auto" or folder:
        with reach_hub(spec.name, repo):
            return HuggingFaceBackbone(_pretrained(transformers, spec, config, repo, revision=revision))
    # Loaded by transformers, since keys in files differ from those of the network.
    tensors = read_weights(weights)
    return HuggingFaceBackbone(_pretrained(transformers, spec, config, None, state_dict=tensors))


def _create(transformers: Any, spec: EncoderSpec, config: Any, seed: int) -> Any:
    network_class, config, options = _network_class(transformers, spec, config)
    with seeded_init(seed):
        return network_class(config, **options).eval()


def _pretrained(transformers: Any, spec: EncoderSpec, config: Any, repo: str | None, **loading: Any) -> Any:
    network_class, config, options = _network_class(transformers, spec, config)
    log = transformers.utils.logging
    verbosity = log.get_verbosity()
    log.set_verbosity_error()  # it would list every key of a text tower; missing keys are checked below
    try:
        network, report = network_class.from_pretrained(
            repo,
            config=config,
            dtype=torch.float32,  # half-precision files would stay so; `amp` selects half precision
            output_loading_info=True,
            **options,
            **loading,
        )
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"The weights of {spec.name!r} do not fit {network_class.__name__}: {str(error)[:400]}"
        ) from error
    finally:
        log.set_verbosity(verbosity)
    missing = sorted(report["missing_keys"])
    if missing:
        raise CheckpointError(
            f"The weights given for {spec.name!r} lack {len(missing)} of {network_class.__name__} "
            f"({', '.join(missing[:3])}, ...), which would be random. Pass a checkpoint of exactly this "
            "network."
        )
    return network.eval()


def _network_class(transformers: Any, spec: EncoderSpec, config: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the class of the vision network, its configuration and further arguments."""
    tower = TOWERS.get(config.model_type.removesuffix("_vision_model"))
    if tower is not None:
        vision = getattr(config, "vision_config", config)
        if spec.head:
            tower += "WithProjection"
            # The projection has the size of the whole model; the vision config may hold another one.
            vision.projection_dim = config.projection_dim
        return getattr(transformers, tower), vision, {}
    mapping = transformers.models.auto.modeling_auto.MODEL_MAPPING
    takes_images = hasattr(config, "num_channels") or hasattr(config, "in_chans")  # V-JEPA 2: the latter
    if type(config) not in mapping or not takes_images:
        raise ValueError(f"{spec.name!r} is a {config.model_type!r}, which is no network for images.")
    if config.model_type == "vit_mae":
        config.mask_ratio = 0.0  # an encoder takes whole frames
    network_class = mapping[type(config)]
    # The pooler of a ViT belongs to its classifier and is missing in most self-supervised checkpoints.
    optional_pooler = "add_pooling_layer" in inspect.signature(network_class.__init__).parameters
    is_swin = config.model_type in ("swin", "swinv2")  # its pooler is an average without weights
    return network_class, config, {"add_pooling_layer": False} if optional_pooler and not is_swin else {}
