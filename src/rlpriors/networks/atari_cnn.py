"""Convolutional network of the Atari representation benchmarks.

`AtariCNN`          four convolutions and a linear layer, for whole frames of 210 x 160
`AtariCNNSettings`  settings of `AtariCNN`
`MIN_SIZE`          smallest height and width of its input
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.networks.base import check_at_least
from rlpriors.settings import check_fields
from rlpriors.types import Features

__all__ = ["MIN_SIZE", "AtariCNN", "AtariCNNSettings"]

MIN_SIZE = 76
"""Smallest height and width of an `AtariCNN` input, for which the four convolutions leave one cell."""


@dataclass(frozen=True)
class AtariCNNSettings:
    """Input size and output width of an `AtariCNN`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    channels: int = 1
    """Number of input channels: 1 (gray), 3 (color) or the number of stacked gray frames; at least 1."""
    height: int = 210
    """Height of the input, at least 76."""
    width: int = 160
    """Width of the input, at least 76."""
    dim: int = 256
    """Width of the global feature vector, at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, channels=self.channels, dim=self.dim)
        check_at_least(MIN_SIZE, height=self.height, width=self.width)


class AtariCNN(nn.Module):
    """Encoder of AtariARI and ST-DIM (Anand et al. 2019, arXiv 1906.08226, appendix).

    Convolutions of 8x8/4, 4x4/2, 4x4/2 and 3x3/1 with ReLU, then a linear layer without activation.  All
    weights are initialized orthogonally with gain sqrt(2), biases with 0.  This initialization determines
    the probing scores of a random network.  The map is the output of the third convolution, which ST-DIM
    contrasts; its cells are the tokens.

    Example:
        >>> import torch
        >>> from rlpriors.networks.atari_cnn import AtariCNN, AtariCNNSettings
        >>> features = AtariCNN(AtariCNNSettings())(torch.rand(2, 1, 210, 160))
        >>> features.global_.shape, features.maps.shape, features.tokens.shape
        (torch.Size([2, 256]), torch.Size([2, 128, 11, 8]), torch.Size([2, 88, 128]))
    """

    def __init__(self, settings: AtariCNNSettings) -> None:
        super().__init__()
        self.settings = settings
        self.convolutions = nn.Sequential(
            nn.Conv2d(settings.channels, 32, 8, stride=4),
            nn.ReLU(),
            nn.Conv2d(32, 64, 4, stride=2),
            nn.ReLU(),
            nn.Conv2d(64, 128, 4, stride=2),
            nn.ReLU(),
        )
        self.last = nn.Sequential(nn.Conv2d(128, 64, 3), nn.ReLU(), nn.Flatten())
        with torch.no_grad():
            dummy = torch.zeros(1, settings.channels, settings.height, settings.width)
            cells = int(self.last(self.convolutions(dummy)).numel())
        self.linear = nn.Linear(cells, settings.dim)
        for module in self.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                nn.init.orthogonal_(module.weight, nn.init.calculate_gain("relu"))
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        """Return the features of pixels in [0, 1]; AtariARI probes the global vector."""
        maps: Tensor = self.convolutions(x)
        return Features(global_=self.linear(self.last(maps)), tokens=maps.flatten(2).mT, maps=maps)
