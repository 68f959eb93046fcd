"""Heads over maps: from what an encoder sees at each place to a class for each pixel.

`LinearHead`    one linear layer at each place, the same everywhere: what a map shows by itself
`PatchHead`     the same, with a class for each pixel of the place
`ConvHead`      a small convolutional decoder
`PyramidHead`   maps of three scales, read together (UPerNet)
`HEADS`         all of them by name
`build_head`    one of them, untrained

Each is made from the width of maps and the number of classes, and gives logits of any size asked for.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.base import at_least, multiple_of

__all__ = ["HEADS", "ConvHead", "LinearHead", "PatchHead", "PyramidHead", "build_head"]

CELL = 8
"""Rows and columns of a place of `PatchHead`: a patch of this library's vision transformers at 64 pixels."""
GROUPS = 8
"""Of channels that are normalized together."""
BINS = (1, 2, 3, 6)
"""Rows and columns of what the smallest map is pooled to (1612.01105, sec. 3.2)."""


class LinearHead(nn.Module):
    """A convolution of 1x1, then bilinear up to the size asked for.

    Example:
        >>> head = LinearHead(dim=128, classes=3)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        at_least(1, dim=dim, classes=classes)
        self.classify = nn.Conv2d(dim, classes, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of `size`, (height, width)."""
        return _resize(self.classify(maps), size)


class PatchHead(nn.Module):
    """A linear layer from each place to the classes of its 8 x 8 pixels, then bilinear to the size asked for.

    As a masked autoencoder's decoder tells the colors of a patch (2111.06377, section 3).  Where things
    are smaller than a patch, `LinearHead` cannot draw them whatever the encoder knows.

    Example:
        >>> head = PatchHead(dim=128, classes=3)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, dim: int, classes: int) -> None:
        super().__init__()
        at_least(1, dim=dim, classes=classes)
        self.classify = nn.Conv2d(dim, classes * CELL**2, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of `size`, (height, width)."""
        return _resize(F.pixel_shuffle(self.classify(maps), CELL), size)


class ConvHead(nn.Module):
    """Two convolutions of 3x3, each followed by twice the rows and columns, then a linear layer.

    Raises:
        ValueError: `width` is no multiple of 16.

    Example:
        >>> head = ConvHead(dim=128, classes=3, width=32)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, dim: int, classes: int, width: int = 64) -> None:
        super().__init__()
        _check(dim, classes, width)
        self.first = _unit(dim, width, 3)
        self.second = _unit(width, width, 3)
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of `size`, (height, width)."""
        h = _twice(self.second(_twice(self.first(maps))))
        return _resize(self.classify(h), size)


class PyramidHead(nn.Module):
    """UPerNet (Xiao et al. 2018, arXiv 1807.10221, figure 4) over one map of any network.

    The pyramid is made from the single map, at scales 2, 1 and 1/2, as ViTDet makes it (2203.16527,
    section 3).  The smallest level is pooled to 1, 2, 3 and 6 cells a side and joined with these,
    so that every place knows of the whole image; larger levels are added to from above; all levels
    together are read at the largest scale.

    Raises:
        ValueError: `width` is no multiple of 16.

    Example:
        >>> head = PyramidHead(dim=128, classes=3, width=32)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, dim: int, classes: int, width: int = 64) -> None:
        super().__init__()
        _check(dim, classes, width)
        # With its ceiling even a map of one cell can be halved.
        self.large = nn.Sequential(nn.ConvTranspose2d(dim, width, 2, stride=2), *_settle(width))
        self.middle = _unit(dim, width, 1)
        self.small = nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), *_unit(dim, width, 1))
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(cells), *_unit(width, width, 1)) for cells in BINS
        )
        self.join_pools = _unit(width * (1 + len(BINS)), width, 3)
        self.smooth_large, self.smooth_middle = _unit(width, width, 3), _unit(width, width, 3)
        self.fuse = _unit(3 * width, width, 3)
        self.classify = nn.Conv2d(width, classes, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Logits of `size`, (height, width)."""
        small = self._pool(self.small(maps))
        middle = self.middle(maps)
        middle = middle + _resize(small, middle.shape[-2:])
        large = self.large(maps)
        large = large + _resize(middle, large.shape[-2:])
        levels = [self.smooth_large(large), self.smooth_middle(middle), small]
        together = torch.cat([_resize(level, large.shape[-2:]) for level in levels], 1)
        return _resize(self.classify(self.fuse(together)), size)

    def _pool(self, small: Tensor) -> Tensor:
        pooled = [_resize(pool(small), small.shape[-2:]) for pool in self.pools]
        joined: Tensor = self.join_pools(torch.cat([small, *pooled], 1))
        return joined


HEADS: dict[str, Callable[[int, int], nn.Module]] = {
    "linear": LinearHead,
    "patch": PatchHead,
    "conv": ConvHead,
    "pyramid": PyramidHead,
}


def build_head(name: str, dim: int, classes: int) -> nn.Module:
    """The untrained head that `HEADS` lists under `name`, for maps of width `dim`.

    Raises:
        ValueError: there is no such head.

    Example:
        >>> build_head("linear", dim=64, classes=2).classify
        Conv2d(64, 2, kernel_size=(1, 1), stride=(1, 1))
    """
    if name not in HEADS:
        raise ValueError(f"`head` must be one of {list(HEADS)}. Received {name!r}.")
    return HEADS[name](dim, classes)


def _check(dim: int, classes: int, width: int) -> None:
    at_least(1, dim=dim, classes=classes, width=width)
    # Two channels in each group at least: a group of one number, where a map has one cell, says nothing.
    multiple_of(2 * GROUPS, f"{GROUPS} groups of channels", width=width)


def _unit(before: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False), *_settle(width))


def _settle(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(GROUPS, width), nn.GELU()


def _twice(x: Tensor) -> Tensor:
    return _resize(x, (2 * x.shape[-2], 2 * x.shape[-1]))


def _resize(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    return F.interpolate(x, tuple(size), mode="bilinear")
