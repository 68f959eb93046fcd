"""Random filters on contrast-normalized patches.

`ContrastFilters`          one layer of filters whose answers do not depend on brightness and contrast
`ContrastFiltersSettings`  settings of `ContrastFilters`
"""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from rlpriors.networks.base import check_at_least
from rlpriors.settings import check_fields
from rlpriors.types import Features

__all__ = ["ContrastFilters", "ContrastFiltersSettings"]


@dataclass(frozen=True)
class ContrastFiltersSettings:
    """Input size and filters of a `ContrastFilters`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    channels: int = 1
    """Number of input channels, at least 1."""
    height: int = 210
    """Height of the input, at least `size`."""
    width: int = 160
    """Width of the input, at least `size`."""
    n_filters: int = 32
    """Number of filters, the channels of the map; at least 1."""
    size: int = 8
    """Height and width of a filter in pixels, at least 2."""
    stride: int = 4
    """Distance between neighboring patches in pixels, at least 1."""
    noise: float = 0.0125
    """Standard deviation of the pixels, as a fraction of their range, that counts as noise.  Patches of
    less contrast get answers near 0.  At least 0."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, channels=self.channels, n_filters=self.n_filters, stride=self.stride)
        check_at_least(2, size=self.size)
        check_at_least(self.size, height=self.height, width=self.width)
        if not 0 <= self.noise < math.inf:
            raise ValueError(f"`noise` must be a finite number of at least 0. Received {self.noise}.")


class ContrastFilters(nn.Module):
    """Rectified correlations of image patches with filters.

    For a patch p of n values with mean m and standard deviation s, and a filter w with mean 0 and
    length 1, the answer is max(0, w . (p - m)) / sqrt(n (s^2 + noise^2)).  It lies in [0, 1], and without
    `noise` it is the cosine of the angle between p - m and w.  Normalization of patches by their contrast
    is that of single-layer networks (Coates, Ng and Lee 2011, AISTATS, section 3.2.1); random filters
    next to learned ones are those of Jarrett et al. 2009 (ICCV).

    Filters are drawn from a normal distribution.  The map is the answer; its cells are the tokens, and its
    mean is the global vector.

    Example:
        >>> network = ContrastFilters(ContrastFiltersSettings(height=16, width=12))
        >>> features = network(torch.rand(2, 1, 16, 12))
        >>> features.maps.shape, features.global_.shape
        (torch.Size([2, 32, 3, 2]), torch.Size([2, 32]))
        >>> bool(torch.allclose(network(0.5 * torch.ones(1, 1, 16, 12)).maps, torch.zeros(()), atol=1e-4))
        True
    """

    def __init__(self, settings: ContrastFiltersSettings) -> None:
        super().__init__()
        self.settings = settings
        size = (settings.n_filters, settings.channels, settings.size, settings.size)
        self.filters = nn.Parameter(torch.randn(size))

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        """Compute the features of pixels in [0, 1]."""
        settings = self.settings
        # Made of mean 0 and length 1 here, so that saved filters of 16 bits and trained ones are too.
        filters = self.filters - self.filters.mean((1, 2, 3), keepdim=True)
        filters = filters / filters.flatten(1).norm(dim=1).clamp_min(1e-6)[:, None, None, None]
        centered = x - 0.5  # squares of small numbers lose fewer digits
        answers = functional.conv2d(centered, filters, stride=settings.stride)
        count = settings.channels * settings.size**2
        # A difference of one level in one pixel is 15 times the bound, and rounding errors are below it.
        energy = (count * (self._variance(centered) + settings.noise**2)).clamp_min(1e-6)
        maps = answers.relu() * energy.rsqrt()
        return Features(global_=maps.mean((2, 3)), tokens=maps.flatten(2).mT, maps=maps)

    def _variance(self, x: Float[Tensor, "batch channels height width"]) -> Tensor:
        """Return the variance of each patch over its pixels and channels."""
        moments = torch.stack([x.mean(1), (x * x).mean(1)], 1)
        mean, square = functional.avg_pool2d(moments, self.settings.size, self.settings.stride).split(1, 1)
        variance: Tensor = (square - mean * mean).clamp_min(0)
        return variance
