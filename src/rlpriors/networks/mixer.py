"""A denoiser of small MLPs that mix frames and channels in turn.

`Mixer`          one vector per frame; an MLP across frames, then an MLP across channels, and so on
`MixerSettings`  its sizes
"""

from dataclasses import dataclass

from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings, at_least, multiple_of, zero_init
from rlpriors.networks.embeddings import TimeEmbedding

__all__ = ["Mixer", "MixerSettings"]


@dataclass(frozen=True)
class MixerSettings(DenoiserSettings):
    """Sizes of a `Mixer`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    width: int = 64
    """Channels of each frame, at least 1."""
    blocks: int = 4
    """Blocks of one MLP over frames and one over channels, at least 1."""
    frame_hidden: int = 64
    """Hidden width of the MLPs over frames, at least 1."""
    channel_hidden: int = 128
    """Hidden width of the MLPs over channels, at least 1."""
    time_features: int = 32
    """Sines and cosines that encode the diffusion step; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        at_least(1, width=self.width, blocks=self.blocks)
        at_least(1, frame_hidden=self.frame_hidden, channel_hidden=self.channel_hidden)
        at_least(2, time_features=self.time_features)
        multiple_of(2, "a sine and a cosine each", time_features=self.time_features)


class Mixer(DenoiserNetwork):
    """MLP-Mixer (2105.01601) over the frames of a window instead of the patches of an image.

    All frames share the channel MLPs, all channels share the frame MLPs: far fewer parameters than
    a `ResidualMLP`, and every block sees the whole window.  The frame MLPs have a weight for each
    frame, so no position code is needed.

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
        """Predict from windows `x` at diffusion steps `t`; one step for each row."""
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
        # No last bias: the same for all channels of a frame, it would be canceled by every LayerNorm.
        self.over_frames = _mlp(settings.horizon, settings.frame_hidden, bias=False)
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
    # SiLU where the paper has GELU, as in the other denoisers.
    return nn.Sequential(nn.Linear(width, hidden), nn.SiLU(), nn.Linear(hidden, width, bias=bias))
