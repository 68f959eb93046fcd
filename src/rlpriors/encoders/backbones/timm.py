"""Networks of timm as backbones, both convolutional networks and transformers.

`TimmBackbone`        backbone of a timm network
`build_timm`          loader: published weights, a file, or an untrained network
`build_untrained`     untrained timm network
`load_timm_weights`   timm network with the tensors of any file

timm silently accepts a file that lacks layers if the network has no classifier.  Here the network is
built with the classifier of its weights, loaded strictly, and the classifier is removed afterwards.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backbones.hub import reach_hub
from rlpriors.encoders.backbones.timm_spec import import_timm, timm_config, timm_tags
from rlpriors.encoders.backbones.weights import read_weights, seeded_init
from rlpriors.encoders.efficientnet_keys import is_tensorflow_naming, rename_efficientnet
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

__all__ = ["TimmBackbone", "build_timm", "build_untrained", "load_timm_weights"]


class TimmBackbone(Backbone):
    """Backbone of a timm network without its classifier, unless that is the family's projection.

    The vector is timm's pooled output (class token, average or attention pool), or with `mean_pool`
    the mean of the patches.  Tokens are the last layer's patches without class and register tokens.

    With `stride` a convolutional network ends at its last map of that many pixels per cell.  Later
    layers are removed, and the vector is the mean of the map.

    Example:
        >>> import torch
        >>> from rlpriors.encoders.backbones.timm_spec import import_timm
        >>> timm = import_timm()
        >>> network = timm.create_model("test_vit", num_classes=0, img_size=32)
        >>> TimmBackbone(network, (32, 32)).eval()(torch.rand(1, 3, 32, 32)).maps.shape
        torch.Size([1, 64, 2, 2])
    """

    def __init__(
        self,
        network: nn.Module,
        input_size: tuple[int, int],
        architecture: Mapping[str, Any] | None = None,
        *,
        mean_pool: bool = False,
        stride: int | None = None,
    ) -> None:
        super().__init__(architecture)
        self.network: Any = network
        self.stage = None if stride is None else _cut(network, stride)
        self.mean_pool = mean_pool
        self.prefix = int(getattr(network, "num_prefix_tokens", 0))
        patch = getattr(getattr(network, "patch_embed", None), "patch_size", None)
        self.patch = (patch, patch) if isinstance(patch, int) else patch
        if self.patch and any(size % step for size, step in zip(input_size, self.patch, strict=True)):
            nearest = tuple(
                max(1, round(size / step)) * step for size, step in zip(input_size, self.patch, strict=True)
            )
            raise ValueError(
                f"`input_size` must be divisible by the patches of {tuple(self.patch)} pixels, or the "
                f"borders would be cropped. Received {tuple(input_size)}; try {nearest}."
            )

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        if self.stage is not None:
            (maps,) = self.network.forward_intermediates(
                x, indices=[self.stage], stop_early=True, intermediates_only=True
            )
            return Features(maps.mean((2, 3)), maps.flatten(2).mT, maps)
        last = self.network.forward_features(x)
        vector = self.network.forward_head(last)
        if not isinstance(last, Tensor) or last.ndim not in (3, 4):
            return Features(vector.flatten(1), None, None)
        if last.ndim == 4:
            # Swin and similar networks have the channels last.
            maps = last if last.shape[1] == self.network.num_features else last.movedim(-1, 1)
            return Features(vector.flatten(1), maps.flatten(2).mT, maps)
        tokens = last[:, self.prefix :]
        if self.mean_pool:
            vector = tokens.mean(1)
        return Features(
            vector.flatten(1), tokens, self._grid(tokens, tuple(int(edge) for edge in x.shape[-2:]))
        )

    def _grid(self, tokens: Tensor, size: tuple[int, ...]) -> Tensor | None:
        if not self.patch:
            return None
        grid = [edge // step for edge, step in zip(size, self.patch, strict=True)]
        if grid[0] * grid[1] != tokens.shape[1]:  # the network merges or drops tokens
            return None
        maps: Tensor = tokens.mT.unflatten(2, grid)
        return maps


def build_timm(
    spec: EncoderSpec,
    weights: str | Path,
    *,
    seed: int = 0,
    architecture: Mapping[str, Any] | None = None,
    progress: bool = True,
    **_: Any,
) -> TimmBackbone:
    """Build the network of `spec.model_id`, or the network of `architecture`.

    Raises:
        FileNotFoundError: the weights cannot be downloaded, or the file does not exist.
        CheckpointError: the file is damaged or does not match this network.
        ValueError: the network has no published weights, or does not support the input size.
    """
    timm = import_timm()
    if architecture is not None:
        return build_untrained(spec, spec.model_id, {}, architecture=architecture)
    cfg = timm_config(timm, spec.model_id)
    options: dict[str, Any] = {"num_classes": int(cfg.num_classes), **spec.options}
    if weights == "none":
        return build_untrained(spec, spec.model_id, options, seed=seed)
    if weights != "auto":
        tensors = read_weights(weights)
        if is_tensorflow_naming(tensors):
            tensors = rename_efficientnet(tensors)
        heads = [cfg.classifier] if isinstance(cfg.classifier, str) else list(cfg.classifier or ())
        sizes = {len(tensors[f"{head}.weight"]) for head in heads if f"{head}.weight" in tensors}
        if not sizes:
            options["num_classes"] = 0  # a file of a network without its classifier
        elif not getattr(cfg, "label_offset", 0):
            options["num_classes"] = sizes.pop()  # fine-tuned for other classes
        return load_timm_weights(spec, spec.model_id, options, tensors, source=str(weights))
    if not cfg.has_weights:
        tags = timm_tags(timm, spec.model_id)
        raise ValueError(
            f"`weights` for {spec.name!r} cannot be 'auto': timm has none for {spec.model_id!r}, only for "
            f'the tags {tags}. Add a tag, pass a file, or pass weights="none".'
        )
    if progress:
        timm.models.set_pretrained_download_progress(True)
    with reach_hub(spec.name, f"timm/{spec.model_id}"):
        network, arguments = _create(spec, spec.model_id, options, pretrained=True)
    return _wrap(spec, network, arguments)


def build_untrained(
    spec: EncoderSpec,
    model: str,
    options: Mapping[str, Any],
    *,
    seed: int = 0,
    architecture: Mapping[str, Any] | None = None,
    mean_pool: bool = False,
) -> TimmBackbone:
    """Build timm's `model`, or the network of `architecture`, with random weights from `seed`."""
    if architecture is not None:
        model, options = architecture["model"], architecture["arguments"]
    with seeded_init(seed):
        network, arguments = _create(spec, model, options)
    return _wrap(spec, network, arguments, mean_pool=mean_pool)


def load_timm_weights(
    spec: EncoderSpec,
    model: str,
    options: Mapping[str, Any],
    tensors: Mapping[str, Tensor],
    *,
    source: str,
    mean_pool: bool = False,
) -> TimmBackbone:
    """Build timm's `model` with the weights `tensors`; positions are interpolated to the input size.

    `source` is the file for error messages.

    Raises:
        CheckpointError: a weight is missing, left over or of another shape.
    """
    overlay = {"state_dict": dict(tensors), "num_classes": options["num_classes"], "source": ""}
    try:
        network, arguments = _create(spec, model, options, pretrained=True, pretrained_cfg_overlay=overlay)
    except (RuntimeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"{source} does not fit timm's {model!r}: {str(error)[:400]}. Pass the file of exactly this "
            "network."
        ) from error
    return _wrap(spec, network, arguments, mean_pool=mean_pool)


def _create(
    spec: EncoderSpec, model: str, options: Mapping[str, Any], **loading: Any
) -> tuple[Any, dict[str, Any]]:
    """Return the network and the arguments that build it again."""
    timm = import_timm()
    arguments = dict(options)
    cfg = timm_config(timm, model)
    if cfg is not None and spec.channels != cfg.input_size[0]:
        arguments.setdefault("in_chans", spec.channels)
    if cfg is not None and spec.input_size != tuple(cfg.input_size[1:]):
        arguments.setdefault("img_size", spec.input_size)
    try:
        return timm.create_model(model, **arguments, **loading), arguments
    except TypeError as error:
        # Convolutional networks take any size and have no such argument.
        if "img_size" not in arguments or "img_size" not in str(error):
            raise
        del arguments["img_size"]
        return timm.create_model(model, **arguments, **loading), arguments


def _wrap(
    spec: EncoderSpec, network: Any, arguments: Mapping[str, Any], *, mean_pool: bool = False
) -> TimmBackbone:
    # The arguments of networks of a hub or a folder are in their own files only.
    arguments = {**getattr(network, "_model_args", {}), **arguments}
    plain = json.loads(json.dumps({name: value for name, value in arguments.items() if value is not None}))
    architecture = {"model": network.pretrained_cfg["architecture"], "arguments": plain}
    if not spec.head and spec.source == "timm" and network.num_classes:
        network.reset_classifier(0)
    return TimmBackbone(network, spec.input_size, architecture, mean_pool=mean_pool, stride=spec.stride)


def _cut(network: Any, stride: int) -> int:
    """Remove the layers after the last map of `stride` and return the map's number."""
    info = getattr(network, "feature_info", None) or ()
    strides = [int(stage["reduction"]) for stage in info]
    if len(set(strides)) < 2:
        raise ValueError(
            f"`stride` must be None for {type(network).__name__}, which has maps of one size only. "
            f"Received {stride}."
        )
    if not hasattr(network, "prune_intermediate_layers"):
        raise ValueError(
            f"`stride` must be None for {type(network).__name__} of this version of timm, which cannot end "
            f"it at an earlier map. Received {stride}; install a newer timm."
        )
    if stride not in strides:
        raise ValueError(
            f"`stride` must be one of {sorted(set(strides))} for {type(network).__name__}. Received {stride}."
        )
    stage = len(strides) - 1 - strides[::-1].index(stride)
    network.prune_intermediate_layers([stage], prune_norm=True, prune_head=True)
    return stage
