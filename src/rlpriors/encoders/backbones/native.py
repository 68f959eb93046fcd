"""Encoders of this library's own networks, which have no published weights.

`NETWORKS`         every network by the name that a spec's `model_id` gives
`NetworkBackbone`  one of them as a backbone
`build_network`    the loader

Another package joins with an entry point in the group `rlpriors.networks`: a name, and a function
from an `EncoderSpec` to a module whose `forward` gives `Features`.
"""

from collections.abc import Callable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.encoders.backbones.weights import fill, read_weights, seeded
from rlpriors.encoders.encoder import Backbone
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.networks.atari_cnn import AtariCNN, AtariCNNSettings
from rlpriors.networks.cnn import ImpalaCNN, ImpalaCNNSettings, NatureCNN, NatureCNNSettings
from rlpriors.networks.vit import SIZES, ViT, ViTSettings
from rlpriors.types import Features

__all__ = ["NETWORKS", "NetworkBackbone", "build_network"]

GROUP = "rlpriors.networks"


def _nature(spec: EncoderSpec) -> nn.Module:
    height, width = spec.input_size
    return NatureCNN(NatureCNNSettings(channels=spec.channels, height=height, width=width, **spec.options))


def _impala(spec: EncoderSpec) -> nn.Module:
    height, width = spec.input_size
    return ImpalaCNN(ImpalaCNNSettings(channels=spec.channels, height=height, width=width, **spec.options))


def _atari(spec: EncoderSpec) -> nn.Module:
    height, width = spec.input_size
    return AtariCNN(AtariCNNSettings(channels=spec.channels, height=height, width=width, **spec.options))


def _vit(size: str, spec: EncoderSpec) -> nn.Module:
    height, width = spec.input_size
    options = {**SIZES[size], **spec.options}
    return ViT(ViTSettings(channels=spec.channels, height=height, width=width, **options))


NETWORKS: dict[str, Callable[[EncoderSpec], nn.Module]] = {
    "nature-cnn": _nature,
    "impala-cnn": _impala,
    "atari-cnn": _atari,
    "vit-nano": partial(_vit, "nano"),
    "vit-micro": partial(_vit, "micro"),
    "vit-tiny": partial(_vit, "tiny"),
}


class NetworkBackbone(Backbone):
    """A module that gives `Features` by itself.

    Example:
        >>> import torch
        >>> from rlpriors.networks.cnn import NatureCNN, NatureCNNSettings
        >>> NetworkBackbone(NatureCNN(NatureCNNSettings()))(torch.rand(1, 3, 84, 84)).global_.shape
        torch.Size([1, 512])
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.can_mask = hasattr(network, "see")

    def forward(self, x: Float[Tensor, "batch *time channels height width"]) -> Features:
        features: Features = self.network(x)
        return features

    def see(
        self, x: Float[Tensor, "batch channels height width"], kept: Int[Tensor, "batch kept"]
    ) -> Features:
        if not self.can_mask:
            return super().see(x, kept)
        features: Features = self.network.see(x, kept)  # type: ignore[operator]
        return features


def build_network(
    spec: EncoderSpec, weights: str | Path, *, seed: int = 0, architecture: Any = None, **_: Any
) -> NetworkBackbone:
    """Build the network that `spec.model_id` names, untrained or filled from a file.

    Raises:
        ValueError: `weights` is "auto", or there is no such network.
        CheckpointError: the file is damaged or belongs to another network.
    """
    if weights == "auto":
        raise ValueError(
            f"`weights` for {spec.name!r} cannot be 'auto': nobody publishes weights of it. Pass "
            'weights="none" to start untrained, or name the folder of one that you saved.'
        )
    if spec.model_id in NETWORKS:
        make = NETWORKS[spec.model_id]
    else:
        others = {entry.name: entry for entry in entry_points(group=GROUP)}
        if spec.model_id not in others:
            raise ValueError(
                f"`model_id` must be one of {sorted({*NETWORKS, *others})}. Received {spec.model_id!r}; "
                f"install the package that brings it (entry point group {GROUP!r})."
            )
        make = others[spec.model_id].load()
    with seeded(seed):
        network = make(spec)
    if weights != "none":
        fill(network, read_weights(weights), str(weights))
    return NetworkBackbone(network)
