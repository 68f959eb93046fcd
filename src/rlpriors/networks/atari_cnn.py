"""The convolutional network that Atari's representations are compared by.

`AtariCNN`           four convolutions and a linear layer, for whole frames of 210 x 160
`AtariCNNSettings`   its sizes
`SMALLEST`           the fewest rows and columns that it can see
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.networks.base import at_least
from rlpriors.types import Features

__all__ = ["SMALLEST", "AtariCNN", "AtariCNNSettings"]

SMALLEST = 76
"""Below that many rows or columns nothing is left after four convolutions."""


@dataclass(frozen=True)
class AtariCNNSettings:
    """Sizes of an `AtariCNN`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    channels: int = 1
    """Channels of the input: 1 (gray) or 3 (colors), or frames stacked; at least 1."""
    height: int = 210
    """Rows of the input, at least 76."""
    width: int = 160
    """Columns of the input, at least 76."""
    dim: int = 256
    """Numbers in the vector that stands for the whole image, at least 1."""

    def __post_init__(self) -> None:
        at_least(1, channels=self.channels, dim=self.dim)
        at_least(SMALLEST, height=self.height, width=self.width)


class AtariCNN(nn.Module):
    """The encoder of AtariARI and ST-DIM (Anand et al. 2019, arXiv 1906.08226, appendix).

    Convolutions of 8x8/4, 4x4/2, 4x4/2 and 3x3/1 with ReLU, then a linear layer without one; all
    weights orthogonal with gain sqrt(2), biases 0.  This start decides what a random network scores
    in a probe.  The map is that after the third convolution, which ST-DIM contrasts; its cells are
    the tokens.

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
        """Pixels in [0, 1] to features; the vector is what AtariARI's probes read."""
        maps: Tensor = self.convolutions(x)
        return Features(global_=self.linear(self.last(maps)), tokens=maps.flatten(2).mT, maps=maps)
