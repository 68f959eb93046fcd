"""Small vision transformer that can also encode some patches only.

`ViT`                        patches, fixed positions, a class token and transformer blocks
`ViTSettings`                settings of `ViT`
`VIT_SIZES`                  settings of named sizes
`TransformerBlock`           self-attention and a perceptron with pre-normalization
`patchify`                   an image as rows of patch pixels
`unpatchify`                 inverse of `patchify`
`gather_tokens`              selection of tokens by index
`sincos_position_embedding`  positions on a grid as sines and cosines
`xavier_init`                initialization of linear layers
"""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.networks.base import check_at_least, check_multiple
from rlpriors.settings import check_fields
from rlpriors.types import Features

__all__ = [
    "VIT_SIZES",
    "TransformerBlock",
    "ViT",
    "ViTSettings",
    "gather_tokens",
    "patchify",
    "sincos_position_embedding",
    "unpatchify",
    "xavier_init",
]


def patchify(x: Float[Tensor, "batch channels height width"], size: int) -> Float[Tensor, "batch patches n"]:
    """Return square patches of `size` pixels, row by row from the top left; channels vary fastest."""
    return rearrange(x, "b c (h p) (w q) -> b (h w) (p q c)", p=size, q=size)


def unpatchify(
    rows: Float[Tensor, "batch patches n"], size: int, grid: tuple[int, int]
) -> Float[Tensor, "batch channels height width"]:
    """Return the images of patches from `patchify` on a grid of (rows, columns)."""
    return rearrange(rows, "b (h w) (p q c) -> b c (h p) (w q)", h=grid[0], w=grid[1], p=size, q=size)


def gather_tokens(
    tokens: Float[Tensor, "batch tokens width"], index: Int[Tensor, "batch selected"]
) -> Float[Tensor, "batch selected width"]:
    """Return the tokens of each image at `index`, in the order of `index`."""
    return tokens.gather(1, index[:, :, None].expand(-1, -1, tokens.shape[2]))


def sincos_position_embedding(grid: tuple[int, int], width: int) -> Float[Tensor, "cells width"]:
    """Embed the cells of a grid: half of the entries for the row and half for the column.

    An index i is embedded as [sin(w i), cos(w i)] (arXiv 1706.03762, section 3.5), with `w` falling
    geometrically from 1 to about 1/10000.  Fixed, as in masked autoencoders (arXiv 2111.06377).

    Raises:
        ValueError: `width` is not divisible by 4.
    """
    check_multiple(4, "sine and cosine of row and column", width=width)
    quarter = width // 4
    frequency = torch.exp(-math.log(10_000.0) * torch.arange(quarter) / quarter)
    rows, columns = (
        torch.cat([phase.sin(), phase.cos()], 1)
        for phase in (torch.arange(count)[:, None] * frequency for count in grid)
    )
    both = [
        rows[:, None].expand(-1, grid[1], -1),
        columns[None].expand(grid[0], -1, -1),
    ]
    return torch.cat(both, 2).flatten(0, 1)


def xavier_init(module: nn.Module) -> None:
    """Initialize linear layers with Xavier-uniform weights and zero biases (arXiv 2111.06377, A.1)."""
    for layer in module.modules():
        if isinstance(layer, nn.Linear):
            nn.init.xavier_uniform_(layer.weight)
            if layer.bias is not None:
                nn.init.zeros_(layer.bias)


class TransformerBlock(nn.Module):
    """Self-attention and a per-token perceptron, both with pre-normalization and a residual connection.

    Example:
        >>> TransformerBlock(width=32, heads=4)(torch.zeros(2, 5, 32)).shape
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
    """Image, patch and layer sizes of a `ViT`.

    Raises:
        ValueError: a field is out of its bounds, or the image is no multiple of the patch.
    """

    channels: int = 3
    """Number of input channels: 3 for color images, or the number of stacked gray frames; at least 1."""
    height: int = 64
    """Height of the input, divisible by `patch`."""
    width: int = 64
    """Width of the input, divisible by `patch`."""
    patch: int = 8
    """Height and width of a patch in pixels, at least 1."""
    dim: int = 128
    """Width of tokens; divisible by 4 and by `heads`."""
    blocks: int = 4
    """Number of blocks, each of one attention and one perceptron, at least 1."""
    heads: int = 4
    """Number of attention heads, at least 1."""
    mlp_ratio: int = 4
    """Hidden width of each perceptron as a multiple of `dim`, at least 1."""
    pool: Literal["class", "mean"] = "class"
    """Pooling of the global feature vector: the "class" token, or the "mean" of all other tokens."""

    def __post_init__(self) -> None:
        check_fields(self)
        sizes = {"channels": self.channels, "height": self.height, "width": self.width, "dim": self.dim}
        check_at_least(
            1, **sizes, patch=self.patch, blocks=self.blocks, heads=self.heads, mlp_ratio=self.mlp_ratio
        )
        check_multiple(self.patch, "whole patches", height=self.height, width=self.width)
        check_multiple(4, "sine and cosine of row and column", dim=self.dim)
        check_multiple(self.heads, "the number of `heads`", dim=self.dim)
        if self.pool not in ("class", "mean"):
            raise ValueError(f"`pool` must be 'class' or 'mean'. Received {self.pool!r}.")

    @property
    def grid(self) -> tuple[int, int]:
        """Number of rows and columns of patches."""
        return self.height // self.patch, self.width // self.patch


VIT_SIZES: dict[str, dict[str, int]] = {
    "nano": {"patch": 8, "dim": 128, "blocks": 4, "heads": 4},
    "micro": {"patch": 8, "dim": 192, "blocks": 6, "heads": 3},
    "tiny": {"patch": 8, "dim": 192, "blocks": 12, "heads": 3},
}


class ViT(nn.Module):
    """Vision transformer (arXiv 2010.11929) in the form of masked autoencoders (arXiv 2111.06377).

    `forward_tokens` encodes some patches of each image only, at a proportional cost.

    Example:
        >>> network = ViT(ViTSettings(height=32, width=48))
        >>> features = network(torch.rand(2, 3, 32, 48))
        >>> features.global_.shape, features.tokens.shape, features.maps.shape
        (torch.Size([2, 128]), torch.Size([2, 24, 128]), torch.Size([2, 128, 4, 6]))
        >>> network.forward_tokens(torch.rand(2, 3, 32, 48), torch.tensor([[0, 5], [7, 3]])).tokens.shape
        torch.Size([2, 2, 128])
    """

    positions: Float[Tensor, "tokens dim"]

    def __init__(self, settings: ViTSettings) -> None:
        super().__init__()
        self.settings = settings
        self.enter = nn.Linear(settings.patch**2 * settings.channels, settings.dim)
        self.class_token = nn.Parameter(torch.randn(1, 1, settings.dim) * 0.02)
        # Not persistent, since the settings determine the positions.
        self.register_buffer(
            "positions", sincos_position_embedding(settings.grid, settings.dim), persistent=False
        )
        self.blocks = nn.ModuleList(
            TransformerBlock(settings.dim, settings.heads, settings.mlp_ratio) for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(settings.dim, eps=1e-6)
        xavier_init(self)

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        """Return the features of pixels in [0, 1].

        Raises:
            ValueError: the images have another size than in the settings.
        """
        global_, tokens = self._attend(self.enter(self._patches(x)) + self.positions)
        rows, columns = self.settings.grid
        return Features(global_, tokens, rearrange(tokens, "b (h w) d -> b d h w", h=rows, w=columns))

    def forward_tokens(
        self, x: Float[Tensor, "batch channels height width"], visible: Int[Tensor, "batch visible"]
    ) -> Features:
        """Return the features of some patches only.

        `visible` holds their indices, row by row from the top left.  Tokens are in the order of
        `visible`; there are no maps.

        Raises:
            ValueError: the images have another size than in the settings.
        """
        embedded = self.enter(gather_tokens(self._patches(x), visible)) + self.positions[visible]
        global_, tokens = self._attend(embedded)
        return Features(global_, tokens, None)

    def _patches(self, x: Tensor) -> Tensor:
        settings = self.settings
        expected = (settings.channels, settings.height, settings.width)
        if x.shape[1:] != expected:
            raise ValueError(
                f"`x` must be images of (channels, height, width) {expected}. Received {tuple(x.shape[1:])}; "
                "resize them, or build the network for this size."
            )
        return patchify(x, settings.patch)

    def _attend(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        h = torch.cat([self.class_token.expand(tokens.shape[0], -1, -1).to(tokens.dtype), tokens], 1)
        for block in self.blocks:
            h = block(h)
        h = self.norm(h)
        return h[:, 0] if self.settings.pool == "class" else h[:, 1:].mean(1), h[:, 1:]
