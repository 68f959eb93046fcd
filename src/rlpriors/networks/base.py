"""Base classes of denoisers, and checks of settings.

`DenoiserSettings`  horizon and dimension of a window; each network adds its own fields
`DenoiserNetwork`   base class of denoisers, which checks the shapes of inputs
`check_at_least`    lower bound of integers
`check_multiple`    divisibility of integers
`check_widths`      widths of hidden layers
`zero_init`         initialization of a layer with zeros
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.settings import check_fields

__all__ = [
    "DenoiserNetwork",
    "DenoiserSettings",
    "check_at_least",
    "check_multiple",
    "check_widths",
    "zero_init",
]

Layer = TypeVar("Layer", nn.Linear, nn.Conv1d)


def check_at_least(bound: int, **values: int) -> None:
    """Raise a ValueError for the first of `values` below `bound`."""
    for name, value in values.items():
        if value < bound:
            raise ValueError(f"`{name}` must be at least {bound}. Received {value}.")


def check_multiple(factor: int, reason: str, **values: int) -> None:
    """Raise a ValueError for the first of `values` that is no multiple of `factor`, with the `reason`."""
    for name, value in values.items():
        if value % factor:
            raise ValueError(f"`{name}` must be divisible by {factor} ({reason}). Received {value}.")


def check_widths(**widths: object) -> None:
    """Check that each value holds the widths of hidden layers; an empty tuple means a linear network.

    Raises:
        ValueError: a value is no tuple or list of integers of at least 1.
    """
    for name, value in widths.items():
        sizes = value if isinstance(value, tuple | list) else [None]
        if not all(isinstance(size, int | np.integer) and size >= 1 for size in sizes):
            raise ValueError(
                f"`{name}` must hold integers of at least 1, the width of each layer, such as (64, 64). "
                f"Received {value!r}."
            )


def zero_init(layer: Layer) -> Layer:
    """Initialize a layer with zeros and return it.

    With such an output layer, the first prediction of a denoiser is zero, the mean of both normalized
    windows and noise.  The optimizer then spends no step on removing a random prediction.
    """
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


@dataclass(frozen=True)
class DenoiserSettings:
    """Size of the windows of a denoiser.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int
    """Number of timesteps in a window, at least 1."""
    dim: int
    """Number of entries per timestep (normalized observation and action), at least 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        check_at_least(1, horizon=self.horizon, dim=self.dim)


class DenoiserNetwork(nn.Module):
    """Base class of networks that predict noise, clean window or velocity from a noisy window.

    The training (`prediction_type`) decides which of the three is predicted.  A subclass names its
    settings class in `settings_type`, takes the settings as its only argument and implements `forward`,
    which starts with `self.check_input(x, t)`.

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
    """Class of the network's settings."""
    settings: DenoiserSettings
    """Settings of the network."""

    def __init__(self, settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def forward(
        self, x: Float[Tensor, "batch horizon dim"], t: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch horizon dim"]:
        """Predict from windows `x` at diffusion timesteps `t`, one per row."""
        raise NotImplementedError(f"{type(self).__name__} must implement `forward`.")

    def check_input(self, x: Tensor, t: Tensor) -> None:
        """Check the shape of the windows and that there is one integer timestep per row.

        Raises:
            ValueError: `x` is not [batch, horizon, dim] or `t` is not [batch] integers.
        """
        horizon, dim = self.settings.horizon, self.settings.dim
        if x.ndim != 3 or x.shape[1] != horizon or x.shape[2] != dim:
            raise ValueError(
                f"`x` must be windows of shape [batch, {horizon}, {dim}]. Received {_shape(x.shape)}; cut "
                "windows of this horizon, or build the network for this size."
            )
        if t.shape != x.shape[:1] or t.is_floating_point() or t.dtype == torch.bool:
            raise ValueError(
                f"`t` must hold one integer diffusion timestep per window, shape {_shape(x.shape[:1])}. "
                f"Received {_shape(t.shape)} of {t.dtype}."
            )


def _shape(shape: Sequence[int]) -> str:
    return str(list(shape))
