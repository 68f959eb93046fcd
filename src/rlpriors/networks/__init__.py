"""Neural networks: denoisers of windows, and encoders and heads of images.

Covers the architectures and their settings.  The package knows no training, no data and no diffusion
schedule.

base           `DenoiserNetwork`, `DenoiserSettings`: base classes; checks of settings
mlp            `ResidualMLP`: a denoiser over the flattened window; `build_mlp`
ensemble       `EnsembleMLP`: members with separate weights in one call
mixer          `Mixer`: a denoiser that alternates MLPs over timesteps and channels
temporal_unet  `TemporalUNet`: a denoiser of convolutions over time
transformer    `Transformer`: a denoiser of attention between timesteps
flow_mlp       `FlowMLP`: mean velocities of action chunks, for a given observation
embeddings     `TimeEmbedding`: embeddings of the diffusion timestep
cnn            `NatureCNN`, `ImpalaCNN`: small convolutional encoders of RL
atari_cnn      `AtariCNN`: the encoder of AtariARI and ST-DIM
contrast_filters  `ContrastFilters`: one layer of random filters on contrast-normalized patches
vit            `ViT`: a small vision transformer that can encode some patches only
segmentation   heads from feature maps to a class per pixel

`DENOISERS` lists the denoisers by short name, `build_denoiser` builds one, and `DENOISER_CLASSES` maps
class names to builders for `rlpriors.checkpoint.load`.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from torch import nn

from rlpriors.arguments import check_arguments
from rlpriors.build_budget import MachineBudget
from rlpriors.networks.base import DenoiserNetwork
from rlpriors.networks.mixer import Mixer
from rlpriors.networks.mlp import ResidualMLP
from rlpriors.networks.temporal_unet import TemporalUNet
from rlpriors.networks.transformer import Transformer

__all__ = ["DENOISERS", "DENOISER_CLASSES", "build_denoiser"]

DENOISERS: dict[str, type[DenoiserNetwork]] = {
    "mlp": ResidualMLP,
    "mixer": Mixer,
    "unet": TemporalUNet,
    "transformer": Transformer,
}


@check_arguments
def build_denoiser(name: str, horizon: int, dim: int, **overrides: Any) -> DenoiserNetwork:
    """Build an untrained denoiser by its short name in `DENOISERS`.

    `overrides` are further fields of its settings, such as `width`.

    Example:
        >>> from rlpriors.networks import build_denoiser
        >>> build_denoiser("mlp", horizon=32, dim=6, width=128).settings
        ResidualMLPSettings(horizon=32, dim=6, width=128, blocks=4, time_features=32)

    Raises:
        ValueError: the name or a setting is unknown, or a setting is out of its bounds or asks for more
            than the machine's memory.
    """
    if name not in DENOISERS:
        raise ValueError(f"`name` must be one of {sorted(DENOISERS)}. Received {name!r}.")
    network = DENOISERS[name]
    names = [field.name for field in fields(network.settings_type)]
    unknown = sorted(set(overrides) - set(names))
    if unknown:
        raise ValueError(f"`overrides` for {name!r} must be among {names}. Received {unknown}.")
    settings = network.settings_type(horizon=horizon, dim=dim, **overrides)
    with MachineBudget(horizon=horizon, dim=dim, **overrides):
        return network(settings)


def _rebuild(network: type[DenoiserNetwork], settings: dict[str, Any]) -> DenoiserNetwork:
    return network(network.settings_type(**settings))


DENOISER_CLASSES: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    network.__name__: partial(_rebuild, network) for network in DENOISERS.values()
}
"""Builders by class name, for `rlpriors.checkpoint.load(folder, DENOISER_CLASSES)`."""
