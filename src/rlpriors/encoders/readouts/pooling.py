"""Pooling readouts without weights.

`ClassToken`        class token, or pooled map
`Mean`              mean over tokens
`Max`               maximum over tokens
`GeneralizedMean`   power mean over tokens
`ClassAndMean`      class token and mean over tokens, concatenated
`Grid`              feature map averaged over grid cells
`Flatten`           all tokens, concatenated
`SpatialSoftmax`    expected position of each channel's activation
`tokens_of`         tokens of `Features`, from maps if there are no tokens
`maps_of`           maps of `Features`
"""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from rlpriors.encoders.readouts.base import Readout
from rlpriors.encoders.readouts.validation import check_int, check_positive
from rlpriors.types import Features

__all__ = [
    "ClassAndMean",
    "ClassToken",
    "Flatten",
    "GeneralizedMean",
    "Grid",
    "Max",
    "Mean",
    "SpatialSoftmax",
    "maps_of",
    "tokens_of",
]


def tokens_of(features: Features) -> Float[Tensor, "batch tokens width"]:
    """Return the tokens, or the cells of the maps if there are no tokens."""
    if features.tokens is not None:
        return features.tokens
    return maps_of(features).flatten(2).transpose(1, 2)


def maps_of(features: Features) -> Float[Tensor, "batch width rows columns"]:
    """Return the maps.

    Raises:
        ValueError: there are none.
    """
    if features.maps is None:
        raise ValueError("`features` must hold maps. Received None.")
    return features.maps


class ClassToken(Readout):
    """Global feature of the image: class token or pooled map, as the network's family defines it.

    Example:
        >>> ClassToken()(Features(torch.ones(2, 8), None, None)).shape
        torch.Size([2, 8])
    """

    label = "cls"

    def pool(self, features: Features) -> Tensor:
        return features.global_


class Mean(Readout):
    """Mean over all tokens.

    Example:
        >>> Mean()(Features(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), None))
        tensor([[2., 3.]])
    """

    label = "mean"
    required_feature = "tokens"

    def pool(self, features: Features) -> Tensor:
        return tokens_of(features).mean(1)


class Max(Readout):
    """Maximum of each entry over all tokens.

    Example:
        >>> Max()(Features(torch.zeros(1, 2), torch.tensor([[[1.0, 4.0], [3.0, 2.0]]]), None))
        tensor([[3., 4.]])
    """

    label = "max"
    required_feature = "tokens"

    def pool(self, features: Features) -> Tensor:
        return tokens_of(features).amax(1)


class GeneralizedMean(Readout):
    """Power mean (mean x^p)^(1/p) over all tokens, between mean (p=1) and max (1711.02512, eq. 3).

    Values are clamped to at least 1e-6, since a power mean needs positive numbers.

    Example:
        >>> GeneralizedMean(2)(Features(torch.zeros(1, 1), torch.tensor([[[1.0], [7.0]]]), None))
        tensor([[5.]])
    """

    label = "gem"
    required_feature = "tokens"

    def __init__(self, power: int | float = 3) -> None:
        super().__init__()
        self.power = check_positive("power", power)

    def arguments(self) -> tuple[Any, ...]:
        return () if self.power == 3 else (self.power,)

    def pool(self, features: Features) -> Tensor:
        tokens = tokens_of(features)
        # In float32 and relative to the largest value: powers of bf16 or of 1e3 overflow.
        values = tokens.float().clamp_min(1e-6)
        largest = values.amax(1, keepdim=True)
        mean = (values / largest).pow(self.power).mean(1).pow(1 / self.power)
        return (mean * largest[:, 0]).to(tokens.dtype)


class ClassAndMean(Readout):
    """Class token and mean over all tokens, concatenated, as in DINOv2's linear probes (2304.07193).

    Example:
        >>> ClassAndMean()(Features(torch.zeros(1, 2), torch.ones(1, 4, 3), None))
        tensor([[0., 0., 1., 1., 1.]])
    """

    label = "cls+mean"
    required_feature = "tokens"

    def pool(self, features: Features) -> Tensor:
        return torch.cat([features.global_, tokens_of(features).mean(1)], 1)


class Grid(Readout):
    """Feature map averaged over `size` x `size` cells, row by row, which keeps coarse positions.

    Cells overlap by a row or a column if `size` does not divide the map.

    Example:
        >>> maps = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> Grid(2)(Features(torch.zeros(1, 1), None, maps))
        tensor([[ 2.5000,  4.5000, 10.5000, 12.5000]])
    """

    label = "grid"
    required_feature = "maps"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = check_int("size", size)

    def arguments(self) -> tuple[Any, ...]:
        return (self.size,)

    def missing_features(self, features: Features) -> str | None:
        if features.maps is None:
            return super().missing_features(features)
        rows, columns = features.maps.shape[-2:]
        too_small = f"needs a map of at least {self.size}x{self.size}, and this encoder's is {rows}x{columns}"
        return too_small if min(rows, columns) < self.size else None

    def pool(self, features: Features) -> Tensor:
        cells = functional.adaptive_avg_pool2d(maps_of(features), self.size)
        return rearrange(cells, "b c h w -> b (h w c)")


class Flatten(Readout):
    """All tokens, concatenated into one long vector.

    Example:
        >>> Flatten()(Features(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), None))
        tensor([[1., 2., 3., 4.]])
    """

    label = "flatten"
    required_feature = "tokens"

    def pool(self, features: Features) -> Tensor:
        return tokens_of(features).flatten(1)


class SpatialSoftmax(Readout):
    """Expected position (x, y) of each channel's activation, from -1 to 1 (1504.00702, sec. 5.1).

    x grows to the right and y downwards.  The result holds x, y of the first channel, then of the
    second.  A low `temperature` moves the expectation towards the maximum.

    Example:
        >>> maps = torch.zeros(1, 1, 3, 3)
        >>> maps[0, 0, 0, 2] = 100.0
        >>> SpatialSoftmax()(Features(torch.zeros(1, 1), None, maps))
        tensor([[ 1., -1.]])
    """

    label = "spatial-softmax"
    required_feature = "maps"

    def __init__(self, temperature: int | float = 1) -> None:
        super().__init__()
        self.temperature = check_positive("temperature", temperature)

    def arguments(self) -> tuple[Any, ...]:
        return () if self.temperature == 1 else (self.temperature,)

    def pool(self, features: Features) -> Tensor:
        maps = maps_of(features)
        rows, columns = maps.shape[-2:]
        weights = (maps.float() / self.temperature).flatten(2).softmax(-1).unflatten(2, (rows, columns))
        x = (weights.sum(2) * _axis(columns, maps.device)).sum(-1)
        y = (weights.sum(3) * _axis(rows, maps.device)).sum(-1)
        return torch.stack([x, y], -1).flatten(1).to(maps.dtype)


def _axis(cells: int, device: torch.device) -> Tensor:
    # A single cell lies in the middle, where linspace would put it at the left edge.
    return torch.linspace(-1, 1, cells, device=device) if cells > 1 else torch.zeros(1, device=device)
