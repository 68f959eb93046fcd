"""Vision networks of Hugging Face transformers as a backbone.

`HuggingFaceBackbone`   a transformers network that gives `Features`
`build_huggingface`     the loader: a model of the hub, a local folder, a file, or an untrained start
`huggingface_spec`      the card of a model, from the files that its publisher saved

transformers fills what a checkpoint lacks at random and only logs it.  Here that is an error; what a
checkpoint has beyond the vision network (text towers, decoders, classifiers) is left out.
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
from rlpriors.encoders.backbones.hub import hub_json
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision
from rlpriors.encoders.backbones.weights import explain_download, read_weights, seeded
from rlpriors.encoders.encoder import Backbone
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["HuggingFaceBackbone", "build_huggingface"]

# The vision half of models that also read text.
TOWERS = {"clip": "CLIPVisionModel", "siglip": "SiglipVisionModel", "siglip2": "Siglip2VisionModel"}


class HuggingFaceBackbone(Backbone):
    """A transformers network, with positions interpolated where the input size asks for it.

    The vector is CLIP's projection, the family's own pooling (SigLIP, DINOv2, RADIO's summary,
    convolutional networks), else the class token, else the mean of the patches.  Clips give tokens
    through time first, and maps that are averaged over time.

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
        super().__init__({"config": json.loads(config.to_json_string(use_diff=False))})
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
            # It takes images that were cut into patches before.
            rows, columns = x.shape[2] // self.patch[0], x.shape[3] // self.patch[1]
            patches = rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=self.patch[0], q=self.patch[1])
            shapes = torch.tensor([[rows, columns]], device=x.device).expand(len(x), 2)
            mask = torch.ones(patches.shape[:2], dtype=torch.long, device=x.device)
            return {"pixel_values": patches, "pixel_attention_mask": mask, "spatial_shapes": shapes}
        arguments: dict[str, Any] = {"pixel_values": x}
        if self.interpolates:
            arguments["interpolate_pos_encoding"] = self._is_resized(x)
        if self.family == "vit_mae":
            # Without masking (see `_config`) its noise would still shuffle the patches: none does.
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
        # Networks that merge patches as they go (Swin) end on a coarser grid, without class tokens.
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
    """Build the network of `spec.model_id`, or the one that `architecture` describes.

    `weights` may also be a folder that transformers saved, in place of the hub's.

    Raises:
        FileNotFoundError: the hub cannot be reached, or there is no such file.
        CheckpointError: the weights are damaged or do not fill the network.
        ValueError: it is no vision network that transformers itself knows.
    """
    transformers = _transformers()
    if architecture is not None:
        data = dict(architecture["config"])
        config = transformers.AutoConfig.for_model(data.pop("model_type"), **data)
        return HuggingFaceBackbone(_create(transformers, spec, config, seed))
    folder = Path(weights).is_dir()
    place = str(weights) if folder else spec.model_id
    revision = None if folder else spec.revision
    raw = hub_json(place, "config.json", spec.name, revision) or {}
    if raw.get("model_type") not in transformers.CONFIG_MAPPING or raw["model_type"] == "timm_wrapper":
        raise ValueError(
            f"{spec.name!r} is a {raw.get('model_type')!r}, which transformers does not know by itself. "
            "Name a timm network by 'timm:<id>'; networks that bring code of their own are not run."
        )
    with explain_download(spec.name, place):
        config = transformers.AutoConfig.from_pretrained(place, revision=revision, trust_remote_code=False)
    if weights == "none":
        return HuggingFaceBackbone(_create(transformers, spec, config, seed))
    if weights == "auto" or folder:
        with explain_download(spec.name, place):
            return HuggingFaceBackbone(_pretrained(transformers, spec, config, place, revision=revision))
    # Through the library as well, since it names weights otherwise in files than in networks.
    tensors = read_weights(weights)
    return HuggingFaceBackbone(_pretrained(transformers, spec, config, None, state_dict=tensors))


def _create(transformers: Any, spec: EncoderSpec, config: Any, seed: int) -> Any:
    kind, config, options = _kind(transformers, spec, config)
    with seeded(seed):
        return kind(config, **options).eval()


def _pretrained(transformers: Any, spec: EncoderSpec, config: Any, place: str | None, **loading: Any) -> Any:
    kind, config, options = _kind(transformers, spec, config)
    log = transformers.utils.logging
    verbosity = log.get_verbosity()
    log.set_verbosity_error()  # it lists every key of a text tower; what matters is checked below
    try:
        network, report = kind.from_pretrained(
            place,
            config=config,
            dtype=torch.float32,  # half-precision files would else stay so: `amp` is there to ask for it
            output_loading_info=True,
            **options,
            **loading,
        )
    except (RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"The weights of {spec.name!r} do not fit {kind.__name__}: {str(error)[:400]}"
        ) from error
    finally:
        log.set_verbosity(verbosity)
    missing = sorted(report["missing_keys"])
    if missing:
        raise CheckpointError(
            f"The weights given for {spec.name!r} lack {len(missing)} of {kind.__name__} "
            f"({', '.join(missing[:3])}, ...); they would be random. Give a checkpoint of this very network."
        )
    return network.eval()


def _kind(transformers: Any, spec: EncoderSpec, config: Any) -> tuple[Any, Any, dict[str, Any]]:
    """The class of the vision network, its configuration and further arguments."""
    tower = TOWERS.get(config.model_type.removesuffix("_vision_model"))
    if tower is not None:
        vision = getattr(config, "vision_config", config)
        if spec.head:
            tower += "WithProjection"
            # The whole model's size counts, and its vision half may hold another one.
            vision.projection_dim = config.projection_dim
        return getattr(transformers, tower), vision, {}
    known = transformers.models.auto.modeling_auto.MODEL_MAPPING
    sees = hasattr(config, "num_channels") or hasattr(config, "in_chans")  # V-JEPA 2 says the latter
    if type(config) not in known or not sees:
        raise ValueError(f"{spec.name!r} is a {config.model_type!r}, which is no network for images.")
    if config.model_type == "vit_mae":
        config.mask_ratio = 0.0  # an encoder sees all of a frame
    kind = known[type(config)]
    # The pooler of a ViT belongs to its classifier and is missing in most self-supervised checkpoints.
    poolless = "add_pooling_layer" in inspect.signature(kind.__init__).parameters
    merges = config.model_type in ("swin", "swinv2")  # there the pooler is the average alone
    return kind, config, {"add_pooling_layer": False} if poolless and not merges else {}


def _transformers() -> Any:
    ensure_torchvision()
    try:
        import transformers
    except ImportError as error:
        raise ImportError(f"This encoder needs transformers ({error}). Install rlpriors[vision].") from error
    return transformers
