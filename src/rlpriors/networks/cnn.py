"""Small convolutional encoders of deep reinforcement learning.

`NatureCNN`          three convolutions and a linear layer (Mnih et al. 2015)
`NatureCNNSettings`  settings of `NatureCNN`
`ImpalaCNN`          fifteen convolutions in residual blocks (Espeholt et al. 2018)
`ImpalaCNNSettings`  settings of `ImpalaCNN`

Both read pixels in [0, 1] and return `Features`: the last map, its cells as tokens, and the output of the
linear layer as the global vector.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.base import check_at_least
from rlpriors.settings import check_fields
from rlpriors.types import Features

__all__ = ["ImpalaCNN", "ImpalaCNNSettings", "NatureCNN", "NatureCNNSettings"]


@dataclass(frozen=True)
class NatureCNNSettings:
    """Input size and output width of a `NatureCNN`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    channels: int = 3
    """Number of input channels: 3 for color images, or the number of stacked gray frames; at least 1."""
    height: int = 84
    """Height of the input, at least 36, for which the three convolutions leave one cell."""
    width: int = 84
    """Width of the input, at least 36."""
    dim: int = 512
    """Width of the global feature vector, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, channels=self.channels, dim=self.dim)
        check_at_least(36, height=self.height, width=self.width)


class NatureCNN(nn.Module):
    """Encoder of DQN: convolutions of 8x8/4, 4x4/2 and 3x3/1, then a linear layer.

    Mnih et al., "Human-level control through deep reinforcement learning", Nature 518 (2015).

    Example:
        >>> import torch
        >>> from rlpriors.networks.cnn import NatureCNN, NatureCNNSettings
        >>> features = NatureCNN(NatureCNNSettings(channels=4))(torch.rand(2, 4, 84, 84))
        >>> features.global_.shape, features.maps.shape
        (torch.Size([2, 512]), torch.Size([2, 64, 7, 7]))
    """

    def __init__(self, settings: NatureCNNSettings) -> None:
        super().__init__()
        self.settings = settings
        self.convolutions = nn.Sequential(
            nn.Conv2d(settings.channels, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 64, 3),
            nn.ReLU(),
        )
        self.linear = nn.Linear(_cells(self.convolutions, settings), settings.dim)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        """Return the features of pixels in [0, 1]; DQN's heads read the global vector."""
        maps = self.convolutions(x)
        return _features(maps, F.relu(self.linear(maps.flatten(1))))


@dataclass(frozen=True)
class ImpalaCNNSettings:
    """Input size and widths of an `ImpalaCNN`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    channels: int = 3
    """Number of input channels: 3 for color images, or the number of stacked gray frames; at least 1."""
    height: int = 64
    """Height of the input, at least 1."""
    width: int = 64
    """Width of the input, at least 1."""
    widths: tuple[int, ...] = (16, 32, 32)
    """Channels of each section, which halves the map.  (32, 64, 64) is the common wider network."""
    dim: int = 256
    """Width of the global feature vector, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "widths", tuple(self.widths))  # a list, when read from JSON
        check_at_least(1, channels=self.channels, height=self.height, width=self.width, dim=self.dim)
        if not self.widths:
            raise ValueError("`widths` must hold the width of at least one section. Received ().")
        check_at_least(1, **{f"widths[{i}]": width for i, width in enumerate(self.widths)})


class ImpalaCNN(nn.Module):
    """Large encoder of IMPALA: sections of a convolution, a max-pool and two residual blocks.

    Espeholt et al., "IMPALA" (arXiv 1802.01561, figure 3), without the recurrent part.

    Example:
        >>> import torch
        >>> from rlpriors.networks.cnn import ImpalaCNN, ImpalaCNNSettings
        >>> features = ImpalaCNN(ImpalaCNNSettings())(torch.rand(2, 3, 64, 64))
        >>> features.global_.shape, features.maps.shape
        (torch.Size([2, 256]), torch.Size([2, 32, 8, 8]))
    """

    def __init__(self, settings: ImpalaCNNSettings) -> None:
        super().__init__()
        self.settings = settings
        before = (settings.channels, *settings.widths[:-1])
        sections = [_Section(old, new) for old, new in zip(before, settings.widths, strict=True)]
        self.convolutions = nn.Sequential(*sections, nn.ReLU())
        self.linear = nn.Linear(_cells(self.convolutions, settings), settings.dim)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        """Return the features of pixels in [0, 1]; IMPALA's heads read the global vector."""
        maps = self.convolutions(x)
        return _features(maps, F.relu(self.linear(maps.flatten(1))))


class _Section(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(before, width, 3, padding=1)
        self.blocks = nn.Sequential(_Block(width), _Block(width))

    def forward(self, x: Float[Tensor, "batch before rows columns"]) -> Float[Tensor, "batch width r c"]:
        pooled = F.max_pool2d(self.convolution(x), 3, stride=2, padding=1)
        out: Tensor = self.blocks(pooled)
        return out


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Float[Tensor, "batch width r c"]) -> Float[Tensor, "batch width r c"]:
        update: Tensor = self.second(F.relu(self.first(F.relu(x))))
        return x + update


def _cells(convolutions: nn.Module, settings: NatureCNNSettings | ImpalaCNNSettings) -> int:
    """Return the number of entries of the last map, from a forward pass of a dummy image."""
    with torch.no_grad():
        return int(convolutions(torch.zeros(1, settings.channels, settings.height, settings.width)).numel())


def _features(maps: Tensor, vector: Tensor) -> Features:
    return Features(global_=vector, tokens=maps.flatten(2).mT, maps=maps)
