"""Denoiser of small MLPs that alternate over timesteps and channels.

`Mixer`          MLP-Mixer over the timesteps of a window
`MixerSettings`  settings of `Mixer`
"""

from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings, check_at_least, zero_init
from rlpriors.networks.embeddings import TimeEmbedding, check_time_features

__all__ = ["Mixer", "MixerSettings"]


@dataclass(frozen=True)
class MixerSettings(DenoiserSettings):
    """Layer sizes of a `Mixer`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    width: int = 64
    """Number of channels of each timestep, at least 1."""
    blocks: int = 4
    """Number of blocks, each of one MLP over timesteps and one over channels, at least 1."""
    token_hidden: int = 64
    """Hidden width of the MLPs over timesteps (the tokens), at least 1."""
    channel_hidden: int = 128
    """Hidden width of the MLPs over channels, at least 1."""
    time_features: int = 32
    """Number of sines and cosines that encode the diffusion timestep; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least(1, width=self.width, blocks=self.blocks)
        check_at_least(1, token_hidden=self.token_hidden, channel_hidden=self.channel_hidden)
        check_time_features(self.time_features)


class Mixer(DenoiserNetwork):
    """MLP-Mixer (arXiv 2105.01601) over the timesteps of a window instead of the patches of an image.

    All timesteps share the channel MLPs, and all channels share the token MLPs.  The network has far
    fewer parameters than a `ResidualMLP`, and each block reads the whole window.  The token MLPs have a
    weight for each timestep, so that no position embedding is needed.

    Example:
        >>> import torch
        >>> from rlpriors.networks.mixer import Mixer, MixerSettings
        >>> network = Mixer(MixerSettings(horizon=32, dim=6))
        >>> network(torch.randn(5, 32, 6), torch.zeros(5, dtype=torch.long)).shape
        torch.Size([5, 32, 6])
    """

    settings_type = MixerSettings
    settings: MixerSettings

    def __init__(self, settings: MixerSettings) -> None:
        """Build an untrained network."""
        super().__init__(settings)
        self.time = TimeEmbedding(settings.time_features, settings.width)
        self.enter = nn.Linear(settings.dim, settings.width)
        self.blocks = nn.ModuleList(_Block(settings) for _ in range(settings.blocks))
        self.norm = nn.LayerNorm(settings.width)
        self.leave = zero_init(nn.Linear(settings.width, settings.dim))

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion timesteps `t`, one per row."""
        self.check_input(x, t)
        time = self.time(t)
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, time)
        out: Tensor = self.leave(self.norm(h))
        return out


class _Block(nn.Module):
    def __init__(self, settings: MixerSettings) -> None:
        super().__init__()
        width = settings.width
        self.time = nn.Linear(width, width)
        self.frame_norm = nn.LayerNorm(width)
        # No last bias: equal for all channels of a timestep, it would be canceled by each LayerNorm.
        self.over_frames = _mlp(settings.horizon, settings.token_hidden, bias=False)
        self.channel_norm = nn.LayerNorm(width)
        self.over_channels = _mlp(width, settings.channel_hidden, bias=True)

    def forward(
        self, h: Float[Tensor, "batch horizon width"], time: Float[Tensor, "batch width"]
    ) -> Float[Tensor, "batch horizon width"]:
        h = h + self.time(time)[:, None]
        frames = rearrange(self.frame_norm(h), "b h c -> b c h")
        h = h + rearrange(self.over_frames(frames), "b c h -> b h c")
        update: Tensor = self.over_channels(self.channel_norm(h))
        return h + update


def _mlp(width: int, hidden: int, bias: bool) -> nn.Sequential:
    # SiLU as in the other denoisers; the paper uses GELU.
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width, bias=bias))
