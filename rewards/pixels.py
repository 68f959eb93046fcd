"""Reward network over images.

`PixelReward`          convolutional network that reads one image per transition
`PixelRewardSettings`  settings of `PixelReward`
`image_channels`       axis of the channels of an image
`pixel_high`           pixel value of full brightness in a data set
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.networks.base import check_at_least, check_widths
from rlpriors.networks.cnn import NatureCNN, NatureCNNSettings
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.base import RewardModel, lists_to_tuples
from rlpriors.settings import check_fields

__all__ = ["PixelReward", "PixelRewardSettings", "image_channels", "pixel_high"]

SMALLEST = 36
"""Smallest height and width that the three convolutions of `NatureCNN` can read."""
Channels = Literal["last", "first", "none"]


def image_channels(shape: tuple[int, ...]) -> Channels:
    """Return the place of the channels in the shape of one image: "last", "first" or "none".

    The channels are the one axis that is shorter than 36, the smallest height and width of the network.

    Raises:
        ValueError: the shape is that of no such image.

    Example:
        >>> image_channels((4, 84, 84)), image_channels((64, 64, 3)), image_channels((84, 84))
        ('first', 'last', 'none')
    """
    small = [axis for axis, size in enumerate(shape) if size < SMALLEST]
    if len(shape) == 2 and not small:
        return "none"
    if len(shape) == 3 and small == [2]:
        return "last"
    if len(shape) == 3 and small == [0]:
        return "first"
    raise ValueError(
        f"An image must be [height, width], [height, width, channels] or [channels, height, width], with a "
        f"height and width of at least {SMALLEST} and fewer channels. Received shape {shape}; resize the "
        "frames by gymnasium.wrappers.ResizeObservation, or encode them."
    )


def pixel_high(frames: np.ndarray) -> float:
    """Return the pixel value of full brightness: 255 for uint8, 1 for floats in [0, 1].

    Raises:
        ValueError: the frames are of another type, or floats outside of [0, 1].

    Example:
        >>> pixel_high(np.zeros((1, 84, 84), np.uint8))
        255.0
    """
    if frames.dtype == np.uint8:
        return 255.0
    is_float = np.issubdtype(frames.dtype, np.floating)
    if is_float and frames.size and float(frames.min()) >= 0 and float(frames.max()) <= 1:
        return 1.0
    found = f"{frames.dtype} in {frames.min()}..{frames.max()}" if frames.size else f"no {frames.dtype}"
    raise ValueError(
        f"Images must be uint8, or floats in [0, 1]. Received {found}; convert them to uint8, or divide them "
        "by their largest possible value."
    )


@dataclass(frozen=True)
class PixelRewardSettings:
    """Image and size of a `PixelReward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    image_shape: tuple[int, ...] = (84, 84, 3)
    """Shape of one image: [height, width] and its channels, first or last; at least 36 pixels a side."""

    high: float = 255.0
    """Pixel value of full brightness: 255 for uint8, 1 for floats in [0, 1]."""

    act_dim: int = 1
    """Number of entries in one action, which is not read."""

    dim: int = 128
    """Width of the image's feature vector, at least 1."""

    hidden: tuple[int, ...] = (64,)
    """Widths of the hidden layers after the feature vector."""

    obs_keys: tuple[str, ...] | None = None
    """Path of the image in a Dict observation; None for plain observations."""

    def __post_init__(self) -> None:
        check_fields(self)
        image_channels(self.image_shape)
        check_at_least(1, act_dim=self.act_dim, dim=self.dim)
        check_widths(hidden=self.hidden)
        if self.high not in (1.0, 255.0):
            raise ValueError(f"`high` must be 255 (uint8) or 1 (floats). Received {self.high}.")
        if self.obs_keys is not None and len(self.obs_keys) != 1:
            raise ValueError(f"`obs_keys` must name the one image, or be None. Received {self.obs_keys}.")


class PixelReward(RewardModel):
    """Convolutional network over the image before a step: the reward r(s) of pixels.

    The network is DQN's (`NatureCNN`) with hidden layers after it.  Observations are images in raw units,
    [batch, *image_shape].  Stacked frames are channels, so that a reward can read motion.  Action and next
    image are not read.

    Example:
        >>> import torch
        >>> model = PixelReward(PixelRewardSettings((84, 84, 3)))
        >>> frames, act, end = torch.zeros(2, 84, 84, 3), torch.zeros(2, 1), torch.zeros(2, dtype=torch.bool)
        >>> model(frames, act, frames, end).shape
        torch.Size([2])
    """

    settings: PixelRewardSettings

    def __init__(self, settings: PixelRewardSettings) -> None:
        super().__init__()
        self.settings = settings
        self.image_shape, self.image_high = settings.image_shape, settings.high
        self.obs_dim, self.act_dim = prod(settings.image_shape), settings.act_dim
        self.obs_keys = settings.obs_keys
        self.channels = image_channels(settings.image_shape)
        shape = settings.image_shape
        count, height, width = {
            "none": (1, *shape),
            "first": shape,
            "last": (shape[-1], *shape[:-1]),
        }[self.channels]
        self.cnn = NatureCNN(NatureCNNSettings(count, height, width, settings.dim))
        self.net = build_mlp(settings.dim, settings.hidden, 1)

    @classmethod
    def from_settings(cls, settings: Mapping[str, Any]) -> "PixelReward":
        return cls(PixelRewardSettings(**lists_to_tuples(settings)))

    def forward(
        self,
        obs: Float[Tensor, "batch *image"],
        act: Float[Tensor, "batch act"],
        obs_next: Float[Tensor, "batch *image"],
        terminated: Bool[Tensor, " batch"],
    ) -> Float[Tensor, " batch"]:
        """Return the reward of each transition; only `obs` is read."""
        frames = obs / self.settings.high
        if self.channels == "none":
            frames = frames[:, None]
        elif self.channels == "last":
            frames = frames.movedim(-1, 1)
        rewards: Tensor = self.net(self.cnn(frames).global_)
        return rewards.squeeze(-1)
