"""What every denoiser shares: the size of its windows, the check of its inputs, a quiet start.

`DenoiserSettings`         horizon and dim; each network adds its own fields
`DenoiserNetwork`          the module that carries them and refuses windows of another shape
`at_least`, `multiple_of`  bounds of settings
`check_widths`             widths of hidden layers
`zero_init`                silences a layer until training wakes it
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

__all__ = ["DenoiserNetwork", "DenoiserSettings", "at_least", "check_widths", "multiple_of", "zero_init"]

Layer = TypeVar("Layer", nn.Linear, nn.Conv1d)


def at_least(bound: int, **values: int) -> None:
    """Raise a ValueError that names the first of `values` below `bound`."""
    for name, value in values.items():
        if value < bound:
            raise ValueError(f"`{name}` must be at least {bound}. Received {value}.")


def multiple_of(factor: int, reason: str, **values: int) -> None:
    """Raise a ValueError that names the first of `values` that `factor` does not divide."""
    for name, value in values.items():
        if value % factor:
            raise ValueError(f"`{name}` must be divisible by {factor} ({reason}). Received {value}.")


def check_widths(**widths: object) -> None:
    """Refuse what are no widths of hidden layers, by its name; none at all stands for a linear network.

    Raises:
        ValueError: it is no sequence of whole numbers of at least 1.
    """
    for name, given in widths.items():
        sizes = given if isinstance(given, tuple | list) else [None]
        if not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
            raise ValueError(
                f"`{name}` must hold whole numbers of at least 1, the width of each layer, as (64, 64). "
                f"Received {given!r}."
            )


def zero_init(layer: Layer) -> Layer:
    """Set a layer to zero and return it, so that what it feeds starts silent.

    As the output layer of a denoiser it makes the first prediction zero, the mean of normalized
    windows and of noise alike: no step of the optimizer is spent on unlearning a random guess.
    """
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@dataclass(frozen=True)
class DenoiserSettings:
    """The window a denoiser is built for.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int
    """Frames in a window, at least 1."""
    dim: int
    """Numbers in a frame (normalized observation and action side by side), at least 1."""

    def __post_init__(self) -> None:
        at_least(1, horizon=self.horizon, dim=self.dim)


class DenoiserNetwork(nn.Module):
    """A network from a noisy window and its diffusion step to noise, clean window or velocity.

    Which of the three is a matter of training (`prediction_type`); the network does not know.
    A subclass names its settings in `settings_type`, takes them as its only argument and writes
    `forward`, which begins with `self.check_input(x, t)`.

    Example:
        >>> import torch
        >>> from rlpriors.networks.base import DenoiserNetwork, DenoiserSettings
        >>> class Nothing(DenoiserNetwork):
        ...     settings_type = DenoiserSettings
        ...     def forward(self, x, t):
        ...         self.check_input(x, t)
        ...         return torch.zeros_like(x)
        >>> Nothing(DenoiserSettings(horizon=8, dim=3))(torch.randn(2, 8, 3), torch.tensor([0, 1])).sum()
        tensor(0.)
    """

    settings_type: ClassVar[type[DenoiserSettings]]
    settings: DenoiserSettings

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion steps `t`; one step for each row."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it denoises: write `forward`.")

    def check_input(self, x: Tensor, t: Tensor) -> None:
        """Refuse a window of another shape and steps that are not one whole number per row.

        Raises:
            ValueError: `x` is not [batch, horizon, dim] or `t` is not [batch] integers.
        """
        horizon, dim = self.settings.horizon, self.settings.dim
        if x.ndim != 3 or x.shape[1] != horizon or x.shape[2] != dim:
            raise ValueError(
                f"`x` must be a window: expected [batch, {horizon}, {dim}], received {_shape(x.shape)}. "
                "Cut windows of this horizon, or build the network for these."
            )
        if t.shape != x.shape[:1] or t.is_floating_point() or t.dtype == torch.bool:
            raise ValueError(
                f"`t` must hold one whole diffusion step per window: expected {_shape(x.shape[:1])} "
                f"integers, received {_shape(t.shape)} of {t.dtype}."
            )


def _shape(shape: Sequence[int]) -> str:
    return str(list(shape))
