"""Decoders from vectors and tokens to pixels, for images of any size.

`PixelDecoder`  an image from one vector, by transposed convolutions
`TokenDecoder`  outputs at masked tokens, by a transformer over the visible tokens
"""

from itertools import pairwise
from math import ceil

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import check_at_least, check_multiple
from rlpriors.networks.vit import TransformerBlock, sincos_position_embedding, xavier_init

__all__ = ["PixelDecoder", "TokenDecoder"]


class PixelDecoder(nn.Module):
    """An image from one vector: a linear layer to a small map, then doublings of rows and columns.

    Doubled maps are cropped where half of a size is not a whole number, so that any size is supported.
    Outputs are not bounded; targets are pixels in [0, 1].

    Example:
        >>> PixelDecoder(latent=8, pixels=(3, 21, 50))(torch.zeros(2, 8)).shape
        torch.Size([2, 3, 21, 50])
    """

    def __init__(self, latent: int, pixels: tuple[int, int, int], width: int = 32) -> None:
        """Build layers of `width` channels before the last one, doubled in each earlier layer up to 128."""
        super().__init__()
        check_at_least(1, latent=latent, width=width)
        channels, *size = pixels
        sizes = [(size[0], size[1])]
        while max(sizes[0]) > 8:
            sizes.insert(0, (ceil(sizes[0][0] / 2), ceil(sizes[0][1] / 2)))
        self.sizes = sizes
        doublings = len(sizes) - 1
        widths = [min(width * 2**i, max(128, width)) for i in reversed(range(doublings))] or [width]
        self.input_layer = nn.Linear(latent, widths[0] * sizes[0][0] * sizes[0][1])
        self.width = widths[0]
        self.upsample = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in pairwise(widths))
        self.output_layer: nn.Module = (
            nn.ConvTranspose2d(widths[-1], channels, 4, 2, 1)
            if doublings
            else nn.Conv2d(width, channels, 3, 1, 1)
        )

    def forward(self, z: Float[Tensor, "batch latent"]) -> Float[Tensor, "batch channels rows columns"]:
        """Return the image of each vector."""
        rows, columns = self.sizes[0]
        x = self.input_layer(z).unflatten(1, (self.width, rows, columns)).relu()
        for layer, (rows, columns) in zip(self.upsample, self.sizes[1:], strict=False):
            x = layer(x)[:, :, :rows, :columns].relu()
        rows, columns = self.sizes[-1]
        image: Tensor = self.output_layer(x)[:, :, :rows, :columns]
        return image


class TokenDecoder(nn.Module):
    """`out` numbers for each queried token, from the visible tokens.

    A mask token with the position embedding of its cell stands for each queried token (2111.06377, sec. 3;
    2301.08243, sec. 3).  Attention is permutation equivariant, so tokens need no order.  The encoder's
    vector of the whole image is a further input next to its tokens.

    Example:
        >>> decode = TokenDecoder(dim=16, out=48, grid=(4, 4), width=32, depth=1)
        >>> cells = torch.arange(16).expand(2, -1)
        >>> decode(torch.zeros(2, 16), torch.zeros(2, 6, 16), cells[:, :6], cells[:, 6:]).shape
        torch.Size([2, 10, 48])
    """

    positions: Float[Tensor, "cells width"]

    def __init__(self, dim: int, out: int, grid: tuple[int, int], *, width: int = 64, depth: int = 1) -> None:
        super().__init__()
        check_at_least(1, width=width, depth=depth)
        check_multiple(4, "sine and cosine of row and column", width=width)
        heads = max(1, width // 32)
        check_multiple(heads, "one head for each 32 entries", width=width)
        self.input_layer = nn.Linear(dim, width)
        self.mask = nn.Parameter(torch.randn(1, 1, width) * 0.02)
        self.register_buffer("positions", sincos_position_embedding(grid, width), persistent=False)
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)
        self.output_layer = nn.Linear(width, out)
        xavier_init(self)

    def forward(
        self,
        global_: Float[Tensor, "batch dim"],
        tokens: Float[Tensor, "batch visible dim"],
        visible: Int[Tensor, "batch visible"],
        queried: Int[Tensor, "batch queried"],
    ) -> Float[Tensor, "batch queried out"]:
        """Return outputs at the cells `queried`, in their order."""
        inputs = self.input_layer(torch.cat([global_[:, None], tokens], 1))
        vector, tokens = inputs.split((1, tokens.shape[1]), 1)
        queries = self.mask + self.positions[queried]
        h = torch.cat([vector, tokens + self.positions[visible], queries], 1)
        for block in self.blocks:
            h = block(h)
        outputs: Tensor = self.output_layer(self.norm(h[:, -queried.shape[1] :]))
        return outputs
