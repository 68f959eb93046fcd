"""Maxima over rows and columns.

`Lines`   readout of the maxima of a map's rows and columns
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from rlpriors.encoders.readouts.base import Readout
from rlpriors.encoders.readouts.pooling import maps_of
from rlpriors.encoders.readouts.validation import check_int
from rlpriors.types import Features

__all__ = ["Lines"]


class Lines(Readout):
    """Maxima of each channel over every row and every column of the map.

    A small object sets the maximum of its row and of its column, so that a linear layer reads its
    position from `rows + columns` numbers per channel instead of `rows * columns`.  `stride` joins that
    many neighboring rows, and columns, into one.

    The result holds the channels of the first row, of the second, and so on, then those of the columns.

    Example:
        >>> maps = torch.tensor([[[[0.0, 5.0, 1.0], [2.0, 3.0, 4.0]]]])
        >>> Lines()(Features(torch.zeros(1, 1), None, maps))
        tensor([[5., 4., 2., 5., 4.]])
        >>> Lines(2)(Features(torch.zeros(1, 1), None, maps))
        tensor([[5., 5., 4.]])
    """

    label = "lines"
    required_feature = "maps"

    def __init__(self, stride: int = 1) -> None:
        super().__init__()
        self.stride = check_int("stride", stride)

    def arguments(self) -> tuple[Any, ...]:
        return () if self.stride == 1 else (self.stride,)

    def pool(self, features: Features) -> Tensor:
        maps = maps_of(features)
        lines = [maps.amax(3), maps.amax(2)]
        if self.stride > 1:
            lines = [functional.max_pool1d(line, self.stride, ceil_mode=True) for line in lines]
        return torch.cat([line.mT.flatten(1) for line in lines], 1)
