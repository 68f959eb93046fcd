"""Networks: the shapes of functions, without a word on how they are trained.

`DENOISERS`         every denoiser by its short name
`build_denoiser`    an untrained one for windows of a given size
`DENOISER_CLASSES`  the same by class name, for `rlpriors.checkpoint.load`

Their parts: `rlpriors.networks.mlp` (also `build_mlp`, for rewards) and `rlpriors.networks.embeddings`.
Networks that see are in `cnn`, `atari_cnn` and `vit`, heads that read their maps in `segmentation`.
"""

from collections.abc import Callable
from dataclasses import fields
from functools import partial
from typing import Any

from torch import nn

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


def build_denoiser(name: str, horizon: int, dim: int, **overrides: Any) -> DenoiserNetwork:
    """Build the untrained denoiser that `DENOISERS` lists under `name`.

    `overrides` are further fields of its settings, such as `width`.

    Example:
        >>> from rlpriors.networks import build_denoiser
        >>> build_denoiser("mlp", horizon=32, dim=6, width=128).settings
        ResidualMLPSettings(horizon=32, dim=6, width=128, blocks=4, time_features=32)

    Raises:
        ValueError: there is no such denoiser or setting, or a setting is out of its bounds.
    """
    if name not in DENOISERS:
        raise ValueError(f"`name` must be one of {sorted(DENOISERS)}. Received {name!r}.")
    network = DENOISERS[name]
    known = [field.name for field in fields(network.settings_type)]
    unknown = sorted(set(overrides) - set(known))
    if unknown:
        raise ValueError(f"`overrides` for {name!r} must be among {known}. Received {unknown}.")
    return network(network.settings_type(horizon=horizon, dim=dim, **overrides))


def _rebuild(network: type[DenoiserNetwork], settings: dict[str, Any]) -> DenoiserNetwork:
    return network(network.settings_type(**settings))


DENOISER_CLASSES: dict[str, Callable[[dict[str, Any]], nn.Module]] = {
    network.__name__: partial(_rebuild, network) for network in DENOISERS.values()
}
"""What `rlpriors.checkpoint.load(folder, DENOISER_CLASSES)` needs to read a denoiser back."""
