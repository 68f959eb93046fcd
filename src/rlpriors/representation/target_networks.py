"""Target networks: the encoder and projector whose outputs serve as targets.

`TargetNetworkSettings`  online, stop-gradient, moving-average or frozen targets
`TargetNetwork`          encoder and projector by these settings
`ProjectedEncoder`       an encoder followed by a projector
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from rlpriors.settings import check_fields

__all__ = ["ProjectedEncoder", "TargetNetwork", "TargetNetworkSettings"]

Kind = Literal["online", "stopgrad", "ema", "frozen"]


@dataclass(frozen=True)
class TargetNetworkSettings:
    """Settings of a `TargetNetwork`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    kind: Kind = "online"
    """Kind of target network: `online` is the learning network, with gradients; `stopgrad` is the same
    network without gradients; `ema` is its moving average, buffers included; `frozen` is a copy of the
    network at the start."""
    decay: float = 0.99
    """Decay of the moving average in an update, in [0, 1]."""
    final_decay: float | None = None
    """Decay of the moving average in the last update, reached on a cosine from `decay` as in BYOL
    (2006.07733, sec. 3.2); None keeps `decay`."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.kind not in get_args(Kind):
            raise ValueError(f"`kind` must be one of {get_args(Kind)}. Received {self.kind!r}.")
        for name in ("decay", "final_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]. Received {value}.")

    def decay_at(self, progress: float) -> float:
        """Return the decay at `progress`, the completed fraction of all updates."""
        if self.final_decay is None:
            return self.decay
        rest = (1 + math.cos(math.pi * min(1.0, progress))) / 2
        return self.final_decay - (self.final_decay - self.decay) * rest


class ProjectedEncoder(nn.Module):
    """An encoder followed by a projector: the online network, or its average.

    Example:
        >>> network = ProjectedEncoder(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> features, projection = network(torch.zeros(5, 4))
        >>> features.shape, projection.shape
        (torch.Size([5, 3]), torch.Size([5, 2]))
    """

    def __init__(self, encoder: nn.Module, projector: nn.Module) -> None:
        super().__init__()
        self.encoder, self.projector = encoder, projector

    def forward(self, x: Tensor) -> tuple[Any, Tensor]:
        """Return features and their projection."""
        features = self.encoder(x)
        return features, self.projector(features)


class TargetNetwork(nn.Module):
    """The network that computes targets, by `settings`.

    A moving average is an `AveragedModel` of torch, which starts as a copy and copies once more at the
    first update.  It has the training mode of the online network, so that batch normalization uses the
    statistics of its own batch, as MoCo and BYOL do.

    Example:
        >>> online = ProjectedEncoder(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> target = TargetNetwork(online, TargetNetworkSettings("ema", decay=0.9))
        >>> features, y = target(online, torch.ones(5, 4))
        >>> y.requires_grad
        False
        >>> target.update(online, progress=0.5)  # after each update
    """

    def __init__(self, online: ProjectedEncoder, settings: TargetNetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        self.average: AveragedModel | None = None
        if settings.kind in ("ema", "frozen"):
            self.average = AveragedModel(online, multi_avg_fn=self._average, use_buffers=True)
            self.average.requires_grad_(False)
        self._progress = 0.0
        self.train()

    def forward(self, online: ProjectedEncoder, x: Tensor) -> tuple[Any, Tensor]:
        """Return features and projection of `x`; `online` is the learning network."""
        outputs: tuple[Any, Tensor]
        if self.settings.kind == "online":
            outputs = online(x)
            return outputs
        with torch.no_grad():
            outputs = online(x) if self.average is None else self.average(x)
        return outputs

    def train(self, mode: bool = True) -> "TargetNetwork":
        """Set the training mode; a frozen network stays in evaluation mode to keep its statistics."""
        super().train(mode)
        if self.settings.kind == "frozen":
            assert self.average is not None
            self.average.eval()
        return self

    def update(self, online: ProjectedEncoder, progress: float) -> None:
        """Update the moving average; `progress` is the completed fraction of all updates."""
        if self.settings.kind == "ema":
            assert self.average is not None
            self._progress = progress
            self.average.update_parameters(online)

    def _average(self, averaged: Any, current: Any, count: Any) -> None:
        get_ema_multi_avg_fn(self.settings.decay_at(self._progress))(averaged, current, count)
