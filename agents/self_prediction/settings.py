"""Settings of self-prediction.

`SelfPredictionSettings`  settings of the loss and of the augmentation
`PixelValueSettings`      sizes of a `PixelValueNetwork`
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rlpriors.networks.base import check_at_least
from rlpriors.settings import check_fields

__all__ = ["PixelValueSettings", "SelfPredictionSettings"]


@dataclass(frozen=True)
class SelfPredictionSettings:
    """Settings of the loss and of the augmentation of `SelfPredictiveC51`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    n_steps: int = 5
    """Number of predicted steps, at least 1."""
    weight: float = 2.0
    """Weight of the loss of self-prediction, at least 0; 0 leaves the loss of C51 alone."""
    shift: int = 4
    """Largest random shift of a frame in pixels, at least 0; 0 for none."""
    intensity: float = 0.05
    """Scale of the random factor on the intensity of a frame, at least 0; 0 for none."""
    decay: float | None = None
    """Decay of the moving average that computes the targets, in [0, 1); 0 is the learning network itself, and
    None is 0 with augmented frames and 0.99 without."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, n_steps=self.n_steps)
        check_at_least(0, shift=self.shift)
        for name in ("weight", "intensity"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        if self.decay is not None and not 0 <= self.decay < 1:
            raise ValueError(f"`decay` must be in [0, 1), or None. Received {self.decay}.")

    @property
    def augments(self) -> bool:
        """True if frames are augmented."""
        return self.shift > 0 or self.intensity > 0

    @property
    def target_decay(self) -> float:
        """Decay of the moving average, with the default filled in."""
        return (0.0 if self.augments else 0.99) if self.decay is None else self.decay


@dataclass(frozen=True)
class PixelValueSettings:
    """Sizes of a `PixelValueNetwork`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    obs_shape: tuple[int, int, int]
    """Shape of a frame, or of a stack of gray frames."""
    n_actions: int
    """Number of actions, at least 1."""
    channels_last: bool = False
    """True for frames [height, width, channels], False for [channels, height, width]."""
    layers: Sequence[Sequence[int]] = ((32, 8, 4), (64, 4, 2), (64, 3, 1))
    """Channels, kernel size and stride of each convolution; the default is that of DQN, for 84 x 84
    pixels."""
    hidden: int = 256
    """Width of the hidden layer of both value heads, at least 1."""
    n_atoms: int = 51
    """Number of atoms of the distribution of returns, at least 2."""

    def __post_init__(self) -> None:
        check_fields(self)
        object.__setattr__(self, "obs_shape", tuple(self.obs_shape))  # lists when read from JSON
        object.__setattr__(self, "layers", tuple(tuple(layer) for layer in self.layers))
        check_at_least(1, n_actions=self.n_actions, hidden=self.hidden)
        check_at_least(2, n_atoms=self.n_atoms)
        if not self.layers or any(len(layer) != 3 or min(layer) < 1 for layer in self.layers):
            raise ValueError(
                "`layers` must hold channels, kernel size and stride of each convolution, at least 1. "
                "Received "
                f"{self.layers}."
            )

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of a frame."""
        first, second, third = self.obs_shape
        return (third, first, second) if self.channels_last else (first, second, third)

    @property
    def map_shape(self) -> tuple[int, int, int]:
        """Channels, height and width of the last convolution's map."""
        channels, height, width = self.frame_shape
        for size, kernel, stride in self.layers:
            channels, height, width = size, (height - kernel) // stride + 1, (width - kernel) // stride + 1
        return channels, height, width
