"""Denoiser of convolutions over time at several resolutions.

`TemporalUNet`          1D U-Net: halves the horizon level by level and doubles it with skip connections
`TemporalUNetSettings`  settings of `TemporalUNet`
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

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
from rlpriors.networks.embeddings import TimeEmbedding, check_time_features

__all__ = ["TemporalUNet", "TemporalUNetSettings"]


@dataclass(frozen=True)
class TemporalUNetSettings(DenoiserSettings):
    """Layer sizes of a `TemporalUNet`.

    Raises:
        ValueError: a field is out of its bounds, or the horizon cannot be halved often enough.
    """

    channels: Sequence[int] = (32, 64, 128)
    """Number of channels at each level, divisible by `groups`.  Each level after the first halves the
    horizon, which must therefore be divisible by 2 ** (levels - 1)."""
    kernel_size: int = 5
    """Kernel size of the convolutions in timesteps; odd, so that kernels are centered."""
    groups: int = 8
    """Number of groups of each GroupNorm, at least 1."""
    time_features: int = 32
    """Number of sines and cosines that encode the diffusion timestep; even, at least 2."""

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "channels", tuple(self.channels))  # a list after reading JSON
        if not self.channels:
            raise ValueError("`channels` must hold the channels of at least one level. Received ().")
        sizes = {f"channels[{level}]": size for level, size in enumerate(self.channels)}
        check_at_least(1, kernel_size=self.kernel_size, groups=self.groups, **sizes)
        check_time_features(self.time_features)
        check_multiple(self.groups, "the groups of GroupNorm", **sizes)
        if self.kernel_size % 2 == 0:
            raise ValueError(f"`kernel_size` must be odd. Received {self.kernel_size}.")
        levels = len(self.channels)
        check_multiple(2 ** (levels - 1), f"{levels} levels of `channels` halve it", horizon=self.horizon)
        for level, size in enumerate(self.channels):
            if size // self.groups * (self.horizon >> level) == 1:
                raise ValueError(
                    f"`groups` must leave GroupNorm more than one number. Received {self.groups} for the "
                    f"{size} channels and the single timestep of level {level}; use fewer groups or levels."
                )


class TemporalUNet(DenoiserNetwork):
    """Temporal U-Net of Diffuser (arXiv 2205.09991, appendix C), reimplemented.

    Blocks of Conv1d, GroupNorm and Mish with the diffusion time added between.  The convolutions are
    equivariant to shifts in time.  Unlike the original, which drops the skip connection of the full
    resolution, each level has one.

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
        upward = [(coarse, fine) for fine, coarse in pairwise(channels)][::-1]
        # Kernel 4, stride 2: each new timestep depends on two old ones, which avoids a checkerboard.
        self.grow = nn.ModuleList(
            nn.ConvTranspose1d(coarse, fine, kernel_size=4, stride=2, padding=1) for coarse, fine in upward
        )
        self.up = nn.ModuleList(level(2 * fine, fine) for _, fine in upward)
        self.leave = zero_init(nn.Conv1d(channels[0], settings.dim, kernel_size=1))

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion timesteps `t`, one per row."""
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
