"""What the online branch is compared with.

`Branch`             the policy: the same network, without gradient, its moving average, or its start
`TargetBranch`       encoder and projector of that policy
`ProjectedEncoder`   an encoder and a projector, end to end
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

__all__ = ["Branch", "ProjectedEncoder", "TargetBranch"]

Kind = Literal["online", "stopgrad", "ema", "frozen"]


@dataclass(frozen=True)
class Branch:
    """Where targets come from.

    Raises:
        ValueError: a field is out of its bounds.
    """

    kind: Kind = "online"
    """`online` the learning network, with gradients; `stopgrad` without; `ema` its moving average,
    buffers included; `frozen` the network as it was at the start."""
    decay: float = 0.99
    """What a moving average keeps of itself in an update, in [0, 1]."""
    final_decay: float | None = None
    """What it keeps in the last update, on a cosine from `decay`, as BYOL (2006.07733, sec. 3.2); None
    for no change."""

    def __post_init__(self) -> None:
        if self.kind not in get_args(Kind):
            raise ValueError(f"`kind` must be one of {get_args(Kind)}. Received {self.kind!r}.")
        for name in ("decay", "final_decay"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"`{name}` must be in [0, 1]. Received {value}.")

    def decay_at(self, progress: float) -> float:
        """The decay when this part of all updates is done."""
        if self.final_decay is None:
            return self.decay
        rest = (1 + math.cos(math.pi * min(1.0, progress))) / 2
        return self.final_decay - (self.final_decay - self.decay) * rest


class ProjectedEncoder(nn.Module):
    """An encoder with its projector: the online network, or its average.

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
        """Features, and their projection."""
        features = self.encoder(x)
        return features, self.projector(features)


class TargetBranch(nn.Module):
    """Features and projections for targets, by the policy of `branch`.

    A moving average is an `AveragedModel` of torch, which starts as a copy, and copies once more at
    the first update.  It stays in training mode where the online branch does, so that batch
    normalization uses the statistics of its own batch, as MoCo and BYOL do.

    Example:
        >>> online = ProjectedEncoder(nn.Linear(4, 3), nn.Linear(3, 2))
        >>> target = TargetBranch(online, Branch("ema", decay=0.9))
        >>> features, y = target(online, torch.ones(5, 4))
        >>> y.requires_grad
        False
        >>> target.update(online, progress=0.5)  # after each update
    """

    def __init__(self, online: ProjectedEncoder, branch: Branch) -> None:
        super().__init__()
        self.branch = branch
        self.average: AveragedModel | None = None
        if branch.kind in ("ema", "frozen"):
            self.average = AveragedModel(online, multi_avg_fn=self._average, use_buffers=True)
            self.average.requires_grad_(False)
        self._progress = 0.0
        self.train()

    def forward(self, online: ProjectedEncoder, x: Tensor) -> tuple[Any, Tensor]:
        """Features and projection of `x`; `online` is the learning network."""
        found: tuple[Any, Tensor]
        if self.branch.kind == "online":
            found = online(x)
            return found
        with torch.no_grad():
            found = online(x) if self.average is None else self.average(x)
        return found

    def train(self, mode: bool = True) -> "TargetBranch":
        """What is frozen stays in evaluation mode, or its statistics would move."""
        super().train(mode)
        if self.branch.kind == "frozen":
            assert self.average is not None
            self.average.eval()
        return self

    def update(self, online: ProjectedEncoder, progress: float) -> None:
        """Move a moving average; `progress` is the part of all updates that is done."""
        if self.branch.kind == "ema":
            assert self.average is not None
            self._progress = progress
            self.average.update_parameters(online)

    def _average(self, averaged: Any, current: Any, count: Any) -> None:
        get_ema_multi_avg_fn(self.branch.decay_at(self._progress))(averaged, current, count)
