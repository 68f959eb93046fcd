"""Denoiser of attention between timesteps.

`Transformer`          one token per timestep, with the diffusion time in adaptive layer normalization
`TransformerSettings`  settings of `Transformer`
"""

from dataclasses import dataclass

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import (
    DenoiserNetwork,
    DenoiserSettings,
    check_at_least,
    check_multiple,
    zero_init,
)
from rlpriors.networks.embeddings import TimeEmbedding, check_time_features, sinusoidal_embedding

__all__ = ["Transformer", "TransformerSettings"]


@dataclass(frozen=True)
class TransformerSettings(DenoiserSettings):
    """Layer sizes of a `Transformer`.

    Raises:
        ValueError: a field is out of its bounds, or the heads do not divide the width.
    """

    width: int = 128
    """Number of channels of each timestep; even and divisible by `heads`."""
    blocks: int = 4
    """Number of blocks, each of one attention and one MLP, at least 1."""
    heads: int = 4
    """Number of attention heads, at least 1."""
    mlp_ratio: int = 4
    """Hidden width of each MLP as a multiple of `width`, at least 1."""
    time_features: int = 32
    """Number of sines and cosines that encode the diffusion timestep; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, width=self.width, blocks=self.blocks, heads=self.heads, mlp_ratio=self.mlp_ratio)
        check_time_features(self.time_features)
        check_multiple(2, "a sine and a cosine each for the position", width=self.width)
        check_multiple(self.heads, "the number of `heads`", width=self.width)


class Transformer(DenoiserNetwork):
    """Diffusion transformer (DiT with adaLN-Zero, arXiv 2212.09748) over the timesteps of a window.

    Each timestep attends to all others in one layer, at a cost quadratic in the horizon.

    Example:
        >>> import torch
        >>> from rlpriors.networks.transformer import Transformer, TransformerSettings
        >>> network = Transformer(TransformerSettings(horizon=32, dim=6))
        >>> network(torch.randn(5, 32, 6), torch.zeros(5, dtype=torch.long)).shape
        torch.Size([5, 32, 6])
    """

    settings_type = TransformerSettings
    settings: TransformerSettings

    def __init__(self, settings: TransformerSettings) -> None:
        """Build an untrained network."""
        super().__init__(settings)
        width = settings.width
        self.time = TimeEmbedding(settings.time_features, width)
        self.enter = nn.Linear(settings.dim, width)
        # Attention alone ignores the order of timesteps.  The position embedding starts as large as the
        # content; with the customary 0.02 * randn, training hardly started to use the order.
        timesteps = torch.arange(settings.horizon)
        embedding = sinusoidal_embedding(timesteps, width, max_period=float(settings.horizon))
        self.position = nn.Parameter(embedding)
        self.blocks = nn.ModuleList(
            _Block(width, settings.heads, settings.mlp_ratio) for _ in range(settings.blocks)
        )
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.modulation = zero_init(nn.Linear(width, 2 * width))
        self.leave = zero_init(nn.Linear(width, settings.dim))

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion timesteps `t`, one per row."""
        self.check_input(x, t)
        time = self.time(t)
        h = self.enter(x) + self.position
        for block in self.blocks:
            h = block(h, time)
        shift, scale = self.modulation(time)[:, None].chunk(2, dim=-1)
        out: Tensor = self.leave(_modulate(self.norm(h), shift, scale))
        return out


class _Block(nn.Module):
    def __init__(self, width: int, heads: int, mlp_ratio: int) -> None:
        super().__init__()
        self.heads = heads
        # Zeros close all gates, so that each block is the identity at the start (adaLN-Zero).
        self.modulation = zero_init(nn.Linear(width, 6 * width))
        # LayerNorms without weights: the modulation scales and shifts.
        self.attention_norm = nn.LayerNorm(width, elementwise_affine=False)
        # No bias: the softmax cancels that of the keys, and the next layer can learn the others.
        self.to_qkv = nn.Linear(width, 3 * width, bias=False)
        self.from_heads = nn.Linear(width, width)
        self.mlp_norm = nn.LayerNorm(width, elementwise_affine=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, mlp_ratio * width), nn.SiLU(), nn.Linear(mlp_ratio * width, width)
        )

    def forward(
        self, h: Float[Tensor, "batch horizon width"], time: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch horizon width"]:
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = self.modulation(time)[:, None].chunk(6, dim=-1)
        h = h + gate_a * self._attend(_modulate(self.attention_norm(h), shift_a, scale_a))
        update: Tensor = gate_m * self.mlp(_modulate(self.mlp_norm(h), shift_m, scale_m))
        return h + update

    def _attend(self, h: Float[Tensor, "batch horizon width"]) -> Float[Tensor, "batch horizon width"]:
        qkv = rearrange(self.to_qkv(h), "b h (three n c) -> three b n h c", three=3, n=self.heads)
        mixed = nn.functional.scaled_dot_product_attention(qkv[0], qkv[1], qkv[2])
        out: Tensor = self.from_heads(rearrange(mixed, "b n h c -> b h (n c)"))
        return out


def _modulate(h: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    return h * (1 + scale) + shift
