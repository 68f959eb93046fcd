"""Readouts without weights.

`ClassToken`       the network's own summary
`Mean`, `Max`      over all tokens; `GeneralizedMean` between the two
`ClassAndMean`     two of these side by side
`Grid`, `Flatten`  what is where: averaged over cells, or all of it
`SpatialSoftmax`   where each channel is active
"""

from typing import Any

import torch
from einops import rearrange
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from rlpriors.encoders.readouts.base import Readout
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
    "positive",
    "tokens_of",
    "whole",
]


def tokens_of(features: Features) -> Float[Tensor, "batch tokens width"]:
    """The tokens, taken from the maps where there are only those."""
    if features.tokens is not None:
        return features.tokens
    return maps_of(features).flatten(2).transpose(1, 2)


def maps_of(features: Features) -> Float[Tensor, "batch width rows columns"]:
    """The maps, which `Readout.check` has seen to be there."""
    if features.maps is None:
        raise ValueError("`features` must hold maps. Received None.")
    return features.maps


def whole(name: str, value: Any) -> int:
    """`value` if it is a whole number of at least 1, else a ValueError about `name`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received {value!r}.")
    return value


def positive(name: str, value: Any) -> float:
    """`value` if it is a finite number above 0, else a ValueError about `name`."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and 0 < value < float("inf")):
        raise ValueError(f"`{name}` must be a finite number above 0. Received {value!r}.")
    return float(value)


class ClassToken(Readout):
    """The network's own summary of the image: class token, or pooled map, as its family defines it.

    Example:
        >>> ClassToken()(Features(torch.ones(2, 8), None, None)).shape
        torch.Size([2, 8])
    """

    label = "cls"

    def read(self, features: Features) -> Tensor:
        return features.global_


class Mean(Readout):
    """The average of all tokens.

    Example:
        >>> Mean()(Features(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), None))
        tensor([[2., 3.]])
    """

    label = "mean"
    reads = "tokens"

    def read(self, features: Features) -> Tensor:
        return tokens_of(features).mean(1)


class Max(Readout):
    """The largest value of each entry over all tokens.

    Example:
        >>> Max()(Features(torch.zeros(1, 2), torch.tensor([[[1.0, 4.0], [3.0, 2.0]]]), None))
        tensor([[3., 4.]])
    """

    label = "max"
    reads = "tokens"

    def read(self, features: Features) -> Tensor:
        return tokens_of(features).amax(1)


class GeneralizedMean(Readout):
    """The power mean (mean x^p)^(1/p) over all tokens, between mean (p=1) and max (1711.02512, eq. 3).

    Values below 1e-6 count as 1e-6: a power mean is one of positive numbers.

    Example:
        >>> GeneralizedMean(2)(Features(torch.zeros(1, 1), torch.tensor([[[1.0], [7.0]]]), None))
        tensor([[5.]])
    """

    label = "gem"
    reads = "tokens"

    def __init__(self, power: int | float = 3) -> None:
        super().__init__()
        self.power = positive("power", power)

    def arguments(self) -> tuple[Any, ...]:
        return () if self.power == 3 else (self.power,)

    def read(self, features: Features) -> Tensor:
        tokens = tokens_of(features)
        # In float32 and relative to the largest value: powers of bf16 or of 1e3 overflow.
        values = tokens.float().clamp_min(1e-6)
        largest = values.amax(1, keepdim=True)
        mean = (values / largest).pow(self.power).mean(1).pow(1 / self.power)
        return (mean * largest[:, 0]).to(tokens.dtype)


class ClassAndMean(Readout):
    """The class token and the average of all tokens, side by side; what DINOv2's probes use (2304.07193).

    Example:
        >>> ClassAndMean()(Features(torch.zeros(1, 2), torch.ones(1, 4, 3), None))
        tensor([[0., 0., 1., 1., 1.]])
    """

    label = "cls+mean"
    reads = "tokens"

    def read(self, features: Features) -> Tensor:
        return torch.cat([features.global_, tokens_of(features).mean(1)], 1)


class Grid(Readout):
    """The map averaged over `size` x `size` cells, row by row: where things are, in few numbers.

    Cells overlap by a row or a column where `size` does not divide the map.

    Example:
        >>> maps = torch.arange(16.0).reshape(1, 1, 4, 4)
        >>> Grid(2)(Features(torch.zeros(1, 1), None, maps))
        tensor([[ 2.5000,  4.5000, 10.5000, 12.5000]])
    """

    label = "grid"
    reads = "maps"

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = whole("size", size)

    def arguments(self) -> tuple[Any, ...]:
        return (self.size,)

    def lacks(self, features: Features) -> str | None:
        if features.maps is None:
            return super().lacks(features)
        rows, columns = features.maps.shape[-2:]
        small = f"needs a map of at least {self.size}x{self.size}, and this encoder's is {rows}x{columns}"
        return small if min(rows, columns) < self.size else None

    def read(self, features: Features) -> Tensor:
        cells = functional.adaptive_avg_pool2d(maps_of(features), self.size)
        return rearrange(cells, "b c h w -> b (h w c)")


class Flatten(Readout):
    """All tokens end to end: nothing is lost, and the vector is long.

    Example:
        >>> Flatten()(Features(torch.zeros(1, 2), torch.tensor([[[1.0, 2.0], [3.0, 4.0]]]), None))
        tensor([[1., 2., 3., 4.]])
    """

    label = "flatten"
    reads = "tokens"

    def read(self, features: Features) -> Tensor:
        return tokens_of(features).flatten(1)


class SpatialSoftmax(Readout):
    """Where each channel of the map is active: its expected (x, y), from -1 to 1 (1504.00702, sec. 5.1).

    x grows to the right and y downwards; the result is x, y of the first channel, then of the second.
    A low `temperature` follows the strongest place alone.

    Example:
        >>> maps = torch.zeros(1, 1, 3, 3)
        >>> maps[0, 0, 0, 2] = 100.0
        >>> SpatialSoftmax()(Features(torch.zeros(1, 1), None, maps))
        tensor([[ 1., -1.]])
    """

    label = "spatial-softmax"
    reads = "maps"

    def __init__(self, temperature: int | float = 1) -> None:
        super().__init__()
        self.temperature = positive("temperature", temperature)

    def arguments(self) -> tuple[Any, ...]:
        return () if self.temperature == 1 else (self.temperature,)

    def read(self, features: Features) -> Tensor:
        maps = maps_of(features)
        rows, columns = maps.shape[-2:]
        weights = (maps.float() / self.temperature).flatten(2).softmax(-1).unflatten(2, (rows, columns))
        x = (weights.sum(2) * _axis(columns, maps.device)).sum(-1)
        y = (weights.sum(3) * _axis(rows, maps.device)).sum(-1)
        return torch.stack([x, y], -1).flatten(1).to(maps.dtype)


def _axis(cells: int, device: torch.device) -> Tensor:
    # A single cell lies in the middle, where linspace would put it at the left edge.
    return torch.linspace(-1, 1, cells, device=device) if cells > 1 else torch.zeros(1, device=device)
