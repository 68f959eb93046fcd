"""Segmentation heads: from feature maps of an encoder to logits of each pixel.

`LinearHead`   one linear layer, equal for all cells of the map
`PatchHead`    one linear layer from each cell to the logits of its pixels
`ConvHead`     small convolutional decoder
`PyramidHead`  decoder of maps at three scales (UPerNet)
`HEADS`        head classes by name
`build_head`   builder of an untrained head by name

A head is built from the width of maps and the number of classes, and returns logits of any requested size.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.base import check_at_least, check_multiple

__all__ = ["HEADS", "ConvHead", "LinearHead", "PatchHead", "PyramidHead", "build_head"]

GROUPS = 8
"""Number of groups of each GroupNorm."""
POOL_SIZES = (1, 2, 3, 6)
"""Heights and widths to which the smallest map is pooled (arXiv 1612.01105, section 3.2)."""


class LinearHead(nn.Module):
    """A convolution of 1x1, then bilinear interpolation to the requested size.

    Example:
        >>> head = LinearHead(dim=128, n_classes=3)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    cell_size: ClassVar[int] = 1
    """Height and width in logits of one cell of the map."""

    def __init__(self, dim: int, n_classes: int) -> None:
        super().__init__()
        check_at_least(1, dim=dim, n_classes=n_classes)
        self.classify = nn.Conv2d(dim, n_classes * self.cell_size**2, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Return logits of `size`, (height, width)."""
        return _resize(F.pixel_shuffle(self.classify(maps), self.cell_size), size)


class PatchHead(LinearHead):
    """A linear layer from each cell to its 8 x 8 logits, then bilinear interpolation to the requested size.

    The decoder of a masked autoencoder predicts the colors of a patch in the same way (arXiv 2111.06377,
    section 3).  `LinearHead` cannot segment objects smaller than a patch, for any encoder.

    Example:
        >>> head = PatchHead(dim=128, n_classes=3)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    cell_size: ClassVar[int] = 8  # a patch of this library's vision transformers at 64 pixels


class ConvHead(nn.Module):
    """Two convolutions of 3x3, each followed by upsampling by 2, then a linear layer.

    Raises:
        ValueError: `width` is no multiple of 16.

    Example:
        >>> head = ConvHead(dim=128, n_classes=3, width=32)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, dim: int, n_classes: int, width: int = 64) -> None:
        super().__init__()
        _check_sizes(dim, n_classes, width)
        self.first = _conv_block(dim, width, 3)
        self.second = _conv_block(width, width, 3)
        self.classify = nn.Conv2d(width, n_classes, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Return logits of `size`, (height, width)."""
        h = _upsample(self.second(_upsample(self.first(maps))))
        return _resize(self.classify(h), size)


class PyramidHead(nn.Module):
    """UPerNet (Xiao et al. 2018, arXiv 1807.10221, figure 4) over one map of any network.

    The pyramid has scales 2, 1 and 1/2 of the single map, as in ViTDet (arXiv 2203.16527, section 3).
    The smallest level is pooled to 1, 2, 3 and 6 cells per side and concatenated with the results, which
    provides global context.  Each larger level receives the upsampled smaller one.  All levels are
    concatenated at the largest scale.

    Raises:
        ValueError: `width` is no multiple of 16.

    Example:
        >>> head = PyramidHead(dim=128, n_classes=3, width=32)
        >>> head(torch.rand(2, 128, 8, 8), (64, 64)).shape
        torch.Size([2, 3, 64, 64])
    """

    def __init__(self, dim: int, n_classes: int, width: int = 64) -> None:
        super().__init__()
        _check_sizes(dim, n_classes, width)
        # With `ceil_mode` even a map of one cell can be halved.
        self.large = nn.Sequential(nn.ConvTranspose2d(dim, width, 2, stride=2), *_norm_and_activation(width))
        self.middle = _conv_block(dim, width, 1)
        self.small = nn.Sequential(nn.MaxPool2d(2, ceil_mode=True), *_conv_block(dim, width, 1))
        self.pools = nn.ModuleList(
            nn.Sequential(nn.AdaptiveAvgPool2d(cells), *_conv_block(width, width, 1)) for cells in POOL_SIZES
        )
        self.join_pools = _conv_block(width * (1 + len(POOL_SIZES)), width, 3)
        self.smooth_large, self.smooth_middle = _conv_block(width, width, 3), _conv_block(width, width, 3)
        self.fuse = _conv_block(3 * width, width, 3)
        self.classify = nn.Conv2d(width, n_classes, 1)

    def forward(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Return logits of `size`, (height, width)."""
        small = self._pool(self.small(maps))
        middle = self.middle(maps)
        middle = middle + _resize(small, middle.shape[-2:])
        large = self.large(maps)
        large = large + _resize(middle, large.shape[-2:])
        levels = [self.smooth_large(large), self.smooth_middle(middle), small]
        pyramid = torch.cat([_resize(level, large.shape[-2:]) for level in levels], 1)
        return _resize(self.classify(self.fuse(pyramid)), size)

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


def build_head(name: str, dim: int, n_classes: int) -> nn.Module:
    """Build an untrained head by its name in `HEADS`, for maps of width `dim`.

    Raises:
        ValueError: the name is unknown.

    Example:
        >>> build_head("linear", dim=64, n_classes=2).classify
        Conv2d(64, 2, kernel_size=(1, 1), stride=(1, 1))
    """
    if name not in HEADS:
        raise ValueError(f"`head` must be one of {list(HEADS)}. Received {name!r}.")
    return HEADS[name](dim, n_classes)


def _check_sizes(dim: int, n_classes: int, width: int) -> None:
    check_at_least(1, dim=dim, n_classes=n_classes, width=width)
    # At least two channels per group: with one channel and a map of one cell a group has a single entry.
    check_multiple(2 * GROUPS, f"{GROUPS} groups of channels", width=width)


def _conv_block(before: int, width: int, kernel: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, width, kernel, padding=kernel // 2, bias=False), *_norm_and_activation(width)
    )


def _norm_and_activation(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.GroupNorm(GROUPS, width), nn.GELU()


def _upsample(x: Tensor) -> Tensor:
    return _resize(x, (2 * x.shape[-2], 2 * x.shape[-1]))


def _resize(x: Tensor, size: tuple[int, int] | torch.Size) -> Tensor:
    return F.interpolate(x, tuple(size), mode="bilinear")
