"""A denoiser of convolutions over time at several resolutions.

`TemporalUNet`          halves the horizon level by level, then doubles it again with skip connections
`TemporalUNetSettings`  its sizes
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from einops import rearrange
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings, at_least, multiple_of, zero_init
from rlpriors.networks.embeddings import TimeEmbedding

__all__ = ["TemporalUNet", "TemporalUNetSettings"]


@dataclass(frozen=True)
class TemporalUNetSettings(DenoiserSettings):
    """Sizes of a `TemporalUNet`.

    Raises:
        ValueError: a field is out of its bounds, or the horizon cannot be halved often enough.
    """

    channels: Sequence[int] = (32, 64, 128)
    """Channels at each level, each divisible by `groups`.  Every level after the first halves the
    horizon, which must therefore be divisible by 2 ** (levels - 1)."""
    kernel_size: int = 5
    """Frames that a convolution sees; odd, so that it is centered."""
    groups: int = 8
    """Groups of each GroupNorm, at least 1."""
    time_features: int = 32
    """Sines and cosines that encode the diffusion step; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "channels", tuple(self.channels))  # JSON brings it back as a list
        if not self.channels:
            raise ValueError("`channels` must name at least one level. Received ().")
        sizes = {f"channels[{level}]": size for level, size in enumerate(self.channels)}
        at_least(1, kernel_size=self.kernel_size, groups=self.groups, **sizes)
        at_least(2, time_features=self.time_features)
        multiple_of(2, "a sine and a cosine each", time_features=self.time_features)
        multiple_of(self.groups, "the groups of GroupNorm", **sizes)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received {self.kernel_size}.")
        levels = len(self.channels)
        multiple_of(2 ** (levels - 1), f"{levels} levels of `channels` halve it", horizon=self.horizon)
        for level, size in enumerate(self.channels):
            if size // self.groups * (self.horizon >> level) == 1:
                raise ValueError(
                    f"`groups` must leave GroupNorm more than one number. Received {self.groups} for the "
                    f"{size} channels and the single frame of level {level}: take fewer groups or levels."
                )


class TemporalUNet(DenoiserNetwork):
    """The temporal U-Net of Diffuser (2205.09991, appendix C), written anew.

    Blocks of Conv1d, GroupNorm and Mish with the diffusion time added between; frames that are near
    each other are denoised alike wherever they stand in the window.  It departs from the original
    where that drops the skip connection of the full resolution: here every level has one.

    Example:
        >>> import torch
        >>> from rlpriors.networks.temporal_unet import TemporalUNet, TemporalUNetSettings
        >>> network = TemporalUNet(TemporalUNetSettings(horizon=32, dim=6))
        >>> network(torch.randn(5, 32, 6), torch.zeros(5, dtype=torch.long)).shape
        torch.Size([5, 32, 6])
    """

    settings_type = TemporalUNetSettings
    settings: TemporalUNetSettings

    def __init__(self, settings: TemporalUNetSettings) -> None:
        """Build an untrained network."""
        super().__init__(settings)
        channels = settings.channels
        time_width = channels[0]
        self.time = TimeEmbedding(settings.time_features, time_width)

        def level(before: int, after: int) -> _Level:
            return _Level(before, after, time_width, settings.kernel_size, settings.groups)

        self.enter = level(settings.dim, channels[0])
        self.shrink = nn.ModuleList(
            nn.Conv1d(size, size, kernel_size=3, stride=2, padding=1) for size in channels[:-1]
        )
        self.down = nn.ModuleList(level(fine, coarse) for fine, coarse in pairwise(channels))
        climb = [(coarse, fine) for fine, coarse in pairwise(channels)][::-1]
        # Kernel 4, stride 2: every new frame is reached by two old ones, which avoids a checkerboard.
        self.grow = nn.ModuleList(
            nn.ConvTranspose1d(coarse, fine, kernel_size=4, stride=2, padding=1) for coarse, fine in climb
        )
        self.up = nn.ModuleList(level(2 * fine, fine) for _, fine in climb)
        self.leave = zero_init(nn.Conv1d(channels[0], settings.dim, kernel_size=1))

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion steps `t`; one step for each row."""
        self.check_input(x, t)
        time = self.time(t)
        h = self.enter(rearrange(x, "b h d -> b d h"), time)
        skips: list[Tensor] = []
        for shrink, level in zip(self.shrink, self.down, strict=True):
            skips.append(h)
            h = level(shrink(h), time)
        for grow, level in zip(self.grow, self.up, strict=True):
            h = level(torch.cat([grow(h), skips.pop()], dim=1), time)
        out: Tensor = self.leave(h)
        return rearrange(out, "b d h -> b h d")


class _Level(nn.Module):
    """Two residual blocks at one resolution."""

    def __init__(self, before: int, after: int, time_width: int, kernel_size: int, groups: int) -> None:
        super().__init__()
        self.first = _Block(before, after, time_width, kernel_size, groups)
        self.second = _Block(after, after, time_width, kernel_size, groups)

    def forward(
        self, h: Float[Tensor, "batch before frames"], time: Float[Tensor, "batch time_width"]
    ) -> Float[Tensor, "batch after frames"]:
        out: Tensor = self.second(self.first(h, time), time)
        return out


class _Block(nn.Module):
    def __init__(self, before: int, after: int, time_width: int, kernel_size: int, groups: int) -> None:
        super().__init__()
        self.first = nn.Conv1d(before, after, kernel_size, padding=kernel_size // 2)
        self.first_norm = nn.GroupNorm(groups, after)
        self.time = nn.Linear(time_width, after)
        self.second = nn.Conv1d(after, after, kernel_size, padding=kernel_size // 2)
        self.second_norm = nn.GroupNorm(groups, after)
        self.activation = nn.Mish()
        self.skip = nn.Identity() if before == after else nn.Conv1d(before, after, kernel_size=1)

    def forward(
        self, h: Float[Tensor, "batch before frames"], time: Float[Tensor, "batch time_width"]
    ) -> Float[Tensor, "batch after frames"]:
        out = self.activation(self.first_norm(self.first(h))) + self.time(time)[..., None]
        update: Tensor = self.activation(self.second_norm(self.second(out)))
        skip: Tensor = self.skip(h)
        return update + skip
