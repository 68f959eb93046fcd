"""From vectors and tokens back to pixels, for any size of image.

`PixelDecoder`   an image from one vector, by transposed convolutions
`TokenDecoder`   something for tokens that were not seen, by a transformer over those that were
"""

from itertools import pairwise
from math import ceil

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import at_least, multiple_of
from rlpriors.networks.vit import Block, grid_codes, xavier

__all__ = ["PixelDecoder", "TokenDecoder"]


class PixelDecoder(nn.Module):
    """An image from one vector: a linear layer to a small map, which doubles until it is large enough.

    Where half of a size is no whole number, the doubled map is cut, so that any size will do.  What
    comes out is not bounded; pixels are meant to be in [0, 1].

    Example:
        >>> PixelDecoder(latent=8, pixels=(3, 21, 50))(torch.zeros(2, 8)).shape
        torch.Size([2, 3, 21, 50])
    """

    def __init__(self, latent: int, pixels: tuple[int, int, int], width: int = 32) -> None:
        """`width` channels before the last layer, twice as many in each layer before, up to 128."""
        super().__init__()
        at_least(1, latent=latent, width=width)
        channels, *size = pixels
        sizes = [(size[0], size[1])]
        while max(sizes[0]) > 8:
            sizes.insert(0, (ceil(sizes[0][0] / 2), ceil(sizes[0][1] / 2)))
        self.sizes = sizes
        doublings = len(sizes) - 1
        widths = [min(width * 2**i, max(128, width)) for i in reversed(range(doublings))] or [width]
        self.enter = nn.Linear(latent, widths[0] * sizes[0][0] * sizes[0][1])
        self.width = widths[0]
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.leave: nn.Module = (
            nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1)
            if doublings
            else nn.Conv2d(width, channels, 3, 1, 1)
        )

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels rows columns"]:
        """Pixels of each vector."""
        rows, columns = self.sizes[0]
        x = self.enter(z).unflatten(1, (self.width, rows, columns)).relu()
        for layer, (rows, columns) in zip(self.enlarge, self.sizes[1:], strict=False):
            x = layer(x)[:, :, :rows, :columns].relu()
        rows, columns = self.sizes[-1]
        found: Tensor = self.leave(x)[:, :, :rows, :columns]
        return found


class TokenDecoder(nn.Module):
    """For each place that is asked for: `out` numbers, from the tokens at places that were seen.

    A mask token with the code of its place stands for each token that is asked for (2111.06377, sec. 3;
    2301.08243, sec. 3).  Attention has no order, so that tokens need not be sorted.  The encoder's
    vector for the whole image is shown beside its tokens.

    Example:
        >>> decode = TokenDecoder(dim=16, out=48, grid=(4, 4), width=32, depth=1)
        >>> places = torch.arange(16).expand(2, -1)
        >>> decode(torch.zeros(2, 16), torch.zeros(2, 6, 16), places[:, :6], places[:, 6:]).shape
        torch.Size([2, 10, 48])
    """

    positions: Float[Tensor, "cells width"]

    def __init__(self, dim: int, out: int, grid: tuple[int, int], *, width: int = 64, depth: int = 1) -> None:
        super().__init__()
        at_least(1, width=width, depth=depth)
        multiple_of(4, "sine and cosine of row and column", width=width)
        heads = max(1, width // 32)
        multiple_of(heads, "one head for each 32 numbers", width=width)
        self.enter = nn.Linear(dim, width)
        self.mask = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.register_buffer("positions", grid_codes(grid, width), persistent=False)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.leave = nn.Linear(width, out)
        xavier(self)

    def forward(
        self,
        global_: Float[Tensor, "batch dim"],
        tokens: Float[Tensor, "batch kept dim"],
        kept: Int[Tensor, "batch kept"],
        asked: Int[Tensor, "batch asked"],
    ) -> Float[Tensor, "batch asked out"]:
        """What is asked for, in its order."""
        whole, seen = self.enter(torch.cat([global_[:, None], tokens], 1)).split((1, tokens.shape[1]), 1)
        h = torch.cat([whole, seen + self.positions[kept], self.mask + self.positions[asked]], 1)
        for block in self.blocks:
            h = block(h)
        found: Tensor = self.leave(self.norm(h[:, -asked.shape[1] :]))
        return found
