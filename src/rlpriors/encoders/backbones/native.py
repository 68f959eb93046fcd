"""Networks of this library as backbones; they have no published weights.

`NETWORKS`          builders of the networks by `model_id`
`NetworkBackbone`   backbone of a network that returns `Features`
`build_network`     loader

Other packages register networks with an entry point in the group `rlpriors.networks`: a name, and a
function from an `EncoderSpec` to a module whose `forward` returns `Features`.
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backbones.weights import load_weights_strict, read_weights, seeded_init
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.networks.atari_cnn import AtariCNN, AtariCNNSettings
from rlpriors.networks.cnn import ImpalaCNN, ImpalaCNNSettings, NatureCNN, NatureCNNSettings
from rlpriors.networks.contrast_filters import ContrastFilters, ContrastFiltersSettings
from rlpriors.networks.vit import VIT_SIZES, ViT, ViTSettings
from rlpriors.types import Features

__all__ = ["NETWORKS", "NetworkBackbone", "build_network"]

GROUP = "rlpriors.networks"


def _cnn(network: Callable[..., nn.Module], settings: Callable[..., Any], spec: EncoderSpec) -> nn.Module:
    height, width = spec.input_size
    return network(settings(channels=spec.channels, height=height, width=width, **spec.options))


def _vit(size: str, spec: EncoderSpec) -> nn.Module:
    height, width = spec.input_size
    options = {**VIT_SIZES[size], **spec.options}
    return ViT(ViTSettings(channels=spec.channels, height=height, width=width, **options))


NETWORKS: dict[str, Callable[[EncoderSpec], nn.Module]] = {
    "nature-cnn": partial(_cnn, NatureCNN, NatureCNNSettings),
    "impala-cnn": partial(_cnn, ImpalaCNN, ImpalaCNNSettings),
    "atari-cnn": partial(_cnn, AtariCNN, AtariCNNSettings),
    "contrast-filters": partial(_cnn, ContrastFilters, ContrastFiltersSettings),
    "vit-nano": partial(_vit, "nano"),
    "vit-micro": partial(_vit, "micro"),
    "vit-tiny": partial(_vit, "tiny"),
}


class NetworkBackbone(Backbone):
    """Backbone of a network that returns `Features`.

    Example:
        >>> import torch
        >>> from rlpriors.networks.cnn import NatureCNN, NatureCNNSettings
        >>> NetworkBackbone(NatureCNN(NatureCNNSettings()))(torch.rand(1, 3, 84, 84)).global_.shape
        torch.Size([1, 512])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.can_mask = hasattr(network, "forward_tokens")

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        features: Features = self.network(x)
        return features

    def forward_tokens(
        self, x: Float[Tensor, "batch channels height width"], visible: Int[Tensor, "batch visible"]
    ) -> Features:
        if not self.can_mask:
            return super().forward_tokens(x, visible)
        features: Features = self.network.forward_tokens(x, visible)  # type: ignore[operator]
        return features


def build_network(
    spec: EncoderSpec, weights: str | Path, *, seed: int = 0, architecture: Any = None, **_: Any
) -> NetworkBackbone:
    """Build the network of `spec.model_id`, untrained or with the weights of a file.

    Raises:
        ValueError: `weights` is "auto", or `spec.model_id` is unknown.
        CheckpointError: the file is damaged or belongs to another network.
    """
    if weights == "auto":
        raise ValueError(
            f"`weights` for {spec.name!r} cannot be 'auto': there are no published weights. Pass "
            'weights="none" for an untrained network, or load the folder of a saved encoder.'
        )
    if spec.model_id in NETWORKS:
        build = NETWORKS[spec.model_id]
    else:
        plugins = {entry.name: entry for entry in entry_points(group=GROUP)}
        if spec.model_id not in plugins:
            raise ValueError(
                f"`model_id` must be one of {sorted({*NETWORKS, *plugins})}. Received {spec.model_id!r}; "
                f"install the package that provides it (entry point group {GROUP!r})."
            )
        build = plugins[spec.model_id].load()
    with seeded_init(seed):
        network = build(spec)
    if weights != "none":
        load_weights_strict(network, read_weights(weights), str(weights))
    return NetworkBackbone(network)
