"""A small vision transformer, which can also look at some of its patches alone.

`ViT`           patches, fixed positions, a class token, and blocks of attention
`ViTSettings`   its sizes; `SIZES` are those that have a name
`Block`         attention and a perceptron, each normalized before
`patches`       an image as rows of numbers, one for each patch; `unpatch` goes back
`take_tokens`   some tokens of each image
`grid_codes`    positions on a grid as sines and cosines
`xavier`        the start of linear layers
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.base import at_least, multiple_of
from rlpriors.types import Features

__all__ = [
    "SIZES",
    "Block",
    "ViT",
    "ViTSettings",
    "grid_codes",
    "patches",
    "take_tokens",
    "unpatch",
    "xavier",
]


def patches(x: Float[Tensor, "batch channels height width"], size: int) -> Float[Tensor, "batch patches n"]:
    """Square patches of `size` pixels, row by row from the top left; each as rows of pixels of colors."""
    return rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=size, q=size)


def unpatch(
    rows: Float[Tensor, "batch patches n"], size: int, grid: tuple[int, int]
) -> Float[Tensor, "batch channels height width"]:
    """The image again, from `patches` on a grid of (rows, columns)."""
    return rearrange(rows, "b (h w) (p q c) -> b c (h p) (w q)", h=grid[0], w=grid[1], p=size, q=size)


def take_tokens(
    tokens: Float[Tensor, "batch tokens width"], index: Int[Tensor, "batch taken"]
) -> Float[Tensor, "batch taken width"]:
    """Some tokens of each image, in the order of `index`."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def grid_codes(grid: tuple[int, int], width: int) -> Float[Tensor, "cells width"]:
    """Half of the numbers tell the row and half the column, as [sin(w i), cos(w i)] (1706.03762, sec. 3.5).

    `w` falls geometrically from 1 to about 1/10000.  Fixed, as in masked autoencoders (2111.06377).

    Raises:
        ValueError: `width` is not divisible by 4.
    """
    multiple_of(4, "sine and cosine of row and column", width=width)
    quarter = width // 4
    speed = torch.exp(-math.log(10_000.0) * torch.arange(quarter) / quarter)
    rows, columns = (
        torch.cat([phase.sin(), phase.cos()], 1)
        for phase in (torch.arange(count)[:, None] * speed for count in grid)
    )
    both = [
        rows[:, None].expand(-1, grid[1], -1),
        columns[None].expand(grid[0], -1, -1),
    ]
    return torch.cat(both, 2).flatten(0, 1)


def xavier(module: nn.Module) -> None:
    """Every linear layer inside starts Xavier-uniform with no bias (2111.06377, app. A.1)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class Block(nn.Module):
    """Attention between all tokens, then a perceptron on each; both normalize before and add to what was.

    Example:
        >>> Block(width=32, heads=4)(torch.zeros(2, 5, 32)).shape
        torch.Size([2, 5, 32])
    """

    def __init__(self, width: int, heads: int, mlp_ratio: int = 4) -> None:
        super().__init__()
        self.heads = heads
        self.attention_norm = nn.LayerNorm(width, eps=1e-6)
        self.to_qkv = nn.Linear(width, 3 * width)
        self.from_heads = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width), nn.GELU(), nn.Linear(mlp_ratio * width, width)
        )

    def forward(self, h: Float[Tensor, "batch tokens width"]) -> Float[Tensor, "batch tokens width"]:
        qkv = rearrange(self.to_qkv(self.attention_norm(h)), "b t (n h c) -> n b h t c", n=3, h=self.heads)
        mixed = F.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        h = h + self.from_heads(rearrange(mixed, "b h t c -> b t (h c)"))
        update: Tensor = self.mlp(self.mlp_norm(h))
        return h + update


@dataclass(frozen=True)
class ViTSettings:
    """Sizes of a `ViT`.

    Raises:
        ValueError: a field is out of its bounds, or the patch does not divide the image.
    """

    channels: int = 3
    """Channels of the input: colors, or gray frames stacked; at least 1."""
    height: int = 64
    """Rows of the input, divisible by `patch`."""
    width: int = 64
    """Columns of the input, divisible by `patch`."""
    patch: int = 8
    """Rows and columns of a patch, at least 1."""
    dim: int = 128
    """Width of tokens; divisible by 4 and by `heads`."""
    blocks: int = 4
    """Blocks of one attention and one perceptron, at least 1."""
    heads: int = 4
    """Attention heads, at least 1."""
    mlp_ratio: int = 4
    """Hidden width of each perceptron as a multiple of `dim`, at least 1."""
    pool: Literal["class", "mean"] = "class"
    """What stands for the whole image: the class token, or the mean of all others."""

    def __post_init__(self) -> None:
        sizes = {"channels": self.channels, "height": self.height, "width": self.width, "dim": self.dim}
        at_least(1, **sizes, patch=self.patch, blocks=self.blocks, heads=self.heads, mlp_ratio=self.mlp_ratio)
        multiple_of(self.patch, "whole patches", height=self.height, width=self.width)
        multiple_of(4, "sine and cosine of row and column", dim=self.dim)
        multiple_of(self.heads, "the number of `heads`", dim=self.dim)
        if self.pool not in ("class", "mean"):
            raise ValueError(f"`pool` must be 'class' or 'mean'. Received {self.pool!r}.")

    @property
    def grid(self) -> tuple[int, int]:
        """Rows and columns of patches."""
        return self.height // self.patch, self.width // self.patch


SIZES: dict[str, dict[str, int]] = {
    "nano": {"patch": 8, "dim": 128, "blocks": 4, "heads": 4},
    "micro": {"patch": 8, "dim": 192, "blocks": 6, "heads": 3},
    "tiny": {"patch": 8, "dim": 192, "blocks": 12, "heads": 3},
}


class ViT(nn.Module):
    """A vision transformer (2010.11929) as masked autoencoders have it (2111.06377).

    `see` looks at some patches of each image alone, and costs only what these cost.

    Example:
        >>> network = ViT(ViTSettings(height=32, width=48))
        >>> features = network(torch.rand(2, 3, 32, 48))
        >>> features.global_.shape, features.tokens.shape, features.maps.shape
        (torch.Size([2, 128]), torch.Size([2, 24, 128]), torch.Size([2, 128, 4, 6]))
        >>> network.see(torch.rand(2, 3, 32, 48), torch.tensor([[0, 5], [7, 3]])).tokens.shape
        torch.Size([2, 2, 128])
    """

    positions: Float[Tensor, "tokens dim"]

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        self.settings = settings
        self.enter = nn.Linear(settings.patch**2 * settings.channels, settings.dim)
        self.class_token = nn.Parameter(torch.randn(1, 1, settings.dim) * 0.02)
        # Not persistent: the settings say what they are.
        self.register_buffer("positions", grid_codes(settings.grid, settings.dim), persistent=False)
        self.blocks = nn.ModuleList(
            Block(settings.dim, settings.heads, settings.mlp_ratio) for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(settings.dim, eps=1e-6)
        xavier(self)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        """Pixels to features.

        Raises:
            ValueError: images are not of the size that the network was built for.
        """
        global_, tokens = self._attend(self.enter(self._patches(x)) + self.positions)
        rows, columns = self.settings.grid
        return Features(global_, tokens, rearrange(tokens, "b (h w) d -> b d h w", h=rows, w=columns))

    def see(
        self, x: Float[Tensor, "batch channels height width"], kept: Int[Tensor, "batch kept"]
    ) -> Features:
        """Features from these patches alone, which `kept` counts row by row from the top left.

        Tokens come in the order of `kept`; there are no maps.

        Raises:
            ValueError: images are not of the size that the network was built for.
        """
        seen = self.enter(take_tokens(self._patches(x), kept)) + self.positions[kept]
        global_, tokens = self._attend(seen)
        return Features(global_, tokens, None)

    def _patches(self, x: Tensor) -> Tensor:
        settings = self.settings
        wanted = (settings.channels, settings.height, settings.width)
        if x.shape[1:] != wanted:
            raise ValueError(
                f"`x` must be images of (channels, height, width) {wanted}. Received {tuple(x.shape[1:])}; "
                "resize them, or build the network for that size."
            )
        return patches(x, settings.patch)

    def _attend(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.cat([self.class_token.expand(len(tokens), -1, -1).to(tokens.dtype), tokens], 1)
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        return h[:, 0] if self.settings.pool == "class" else h[:, 1:].mean(1), h[:, 1:]
