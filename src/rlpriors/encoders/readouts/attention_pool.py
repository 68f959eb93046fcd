"""Trainable readouts, whose weights `build` creates from example features.

`AttentionPool`      attention pooling of the tokens by learned queries
`CompressionLayer`   convolution over the maps, as in VC-1
"""

import math
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from rlpriors.encoders.readouts.base import Readout
from rlpriors.encoders.readouts.pooling import maps_of, tokens_of
from rlpriors.encoders.readouts.validation import check_int
from rlpriors.types import Features

__all__ = ["AttentionPool", "CompressionLayer"]

Layer = TypeVar("Layer", nn.Linear, nn.Conv2d)

MAX_QUERIES = 4096


class AttentionPool(Readout):
    """Attention pooling of all tokens by learned queries (1810.00825, PMA with one head).

    Example:
        >>> features = Features(torch.zeros(2, 8), torch.randn(2, 4, 8), None)
        >>> AttentionPool(queries=3).build(features)(features).shape
        torch.Size([2, 24])
    """

    label = "attention-pool"
    required_feature = "tokens"
    trainable = True

    def __init__(self, queries: int = 1) -> None:
        super().__init__()
        self.queries = check_int("queries", queries, MAX_QUERIES)
        self.net: nn.ModuleDict | None = None
        self.query: nn.Parameter | None = None

    def arguments(self) -> tuple[Any, ...]:
        return () if self.queries == 1 else (self.queries,)

    def build_weights(self, features: Features, seed: int) -> None:
        tokens = tokens_of(features)
        width = tokens.shape[-1]
        if self.query is not None:
            return self._check_width(width)
        generator = torch.Generator().manual_seed(seed)
        parts = {
            name: _init_weights(cast(nn.Linear, nn.utils.skip_init(nn.Linear, width, width)), generator)
            for name in ("key", "value")
        }
        self.net = nn.ModuleDict({"norm": nn.LayerNorm(width), **parts}).to(tokens.device)
        query = torch.randn(self.queries, width, generator=generator) * width**-0.5
        self.query = nn.Parameter(query.to(tokens.device))

    def _check_width(self, width: int) -> None:
        if self.query is None or self.net is None:
            raise ValueError(f"`readout` {self.name!r} has no weights yet: call `build(features)` first.")
        if self.query.shape[1] != width:
            raise ValueError(
                f"`readout` {self.name!r} was built for tokens of width {self.query.shape[1]}. "
                f"Received {width}; build another for this encoder."
            )

    def pool(self, features: Features) -> Tensor:
        tokens = tokens_of(features)
        self._check_width(tokens.shape[-1])
        # `_check_width` raises otherwise.
        assert self.net is not None
        assert self.query is not None
        normed = self.net["norm"](tokens.to(self.query.dtype))
        query = self.query.expand(len(tokens), -1, -1)
        pooled = functional.scaled_dot_product_attention(
            query, self.net["key"](normed), self.net["value"](normed)
        )
        return pooled.flatten(1)


class CompressionLayer(Readout):
    """A 3x3 convolution that compresses the map to about `size` numbers, as in VC-1 (2303.18240).

    The layers are a convolution, GroupNorm over all channels, and ReLU.  The result keeps the map's
    grid and is flattened, so it has round(size / cells) x cells numbers: exactly 2048 from a 16x16
    map, 2058 from a 7x7 map.

    Example:
        >>> features = Features(torch.zeros(2, 8), None, torch.randn(2, 8, 4, 4))
        >>> CompressionLayer(64).build(features)(features).shape
        torch.Size([2, 64])
    """

    label = "compress"
    required_feature = "maps"
    trainable = True

    def __init__(self, size: int = 2048) -> None:
        super().__init__()
        self.size = check_int("size", size)
        self.net: nn.Sequential | None = None
        self.shape: tuple[int, ...] = ()

    def arguments(self) -> tuple[Any, ...]:
        return (self.size,)

    def build_weights(self, features: Features, seed: int) -> None:
        maps = maps_of(features)
        if self.net is not None:
            return self._check_maps(maps)
        width, rows, columns = maps.shape[1:]
        channels = max(1, round(self.size / (rows * columns)))
        convolution = nn.utils.skip_init(nn.Conv2d, width, channels, 3, padding=1, bias=False)
        _init_weights(cast(nn.Conv2d, convolution), torch.Generator().manual_seed(seed))
        net = nn.Sequential(convolution, nn.GroupNorm(1, channels), nn.ReLU(), nn.Flatten())
        self.net, self.shape = net.to(maps.device), (width, rows, columns)

    def _check_maps(self, maps: Tensor) -> None:
        if self.net is None:
            raise ValueError(f"`readout` {self.name!r} has no weights yet: call `build(features)` first.")
        if tuple(maps.shape[1:]) != self.shape:
            raise ValueError(
                f"`readout` {self.name!r} was built for maps of {list(self.shape)}. "
                f"Received {list(maps.shape[1:])}; build another for this encoder and input size."
            )

    def pool(self, features: Features) -> Tensor:
        maps = maps_of(features)
        self._check_maps(maps)
        assert self.net is not None  # `_check_maps` raises otherwise
        vectors: Tensor = self.net(maps.to(next(self.net.parameters()).dtype))
        return vectors


def _init_weights(layer: Layer, generator: torch.Generator) -> Layer:
    # torch's default initialization with a generator, because layers draw from the user's global one.
    nn.init.kaiming_uniform_(layer.weight, a=math.sqrt(5), generator=generator)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer
