"""Normalization of raw units, and its inverse.

`Normalizer`  affine map of each entry, with buffers that are saved with the weights
"""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

__all__ = ["Normalizer"]


class Normalizer(nn.Module):
    """Affine map of `x` to `(x - loc) / scale`, entry by entry along the last axis.

    Raises:
        ValueError: `loc` and `scale` are not finite vectors of one length, or a scale is not
            positive.

    Example:
        >>> normalizer = Normalizer.limits(np.array([[0.0, 5.0], [10.0, 5.0]]))
        >>> normalizer(torch.tensor([[10.0, 5.0], [2.5, 6.0]]))
        tensor([[ 1.0000,  0.0000],
                [-0.5000,  1.0000]])
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        super().__init__()
        if loc.ndim != 1 or loc.shape != scale.shape:
            raise ValueError(
                "`loc` and `scale` must be vectors of one length. Received shapes "
                f"{tuple(loc.shape)} and {tuple(scale.shape)}."
            )
        if not (torch.isfinite(loc).all() and torch.isfinite(scale).all() and (scale > 0).all()):
            raise ValueError(f"`loc` must be finite and `scale` positive. Received {loc} and {scale}.")
        self.register_buffer("loc", loc.detach().clone().float())
        self.register_buffer("scale", scale.detach().clone().float())

    @property
    def dim(self) -> int:
        """Number of entries along the last axis."""
        return int(self.loc.shape[0])

    def forward(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Map raw units to normalized units."""
        self._check(x)
        return (x - self.loc) / self.scale

    def inverse(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Map normalized units to raw units."""
        self._check(x)
        return x * self.scale + self.loc

    @classmethod
    def limits(cls, x: np.ndarray | Tensor) -> "Normalizer":
        """Return the map of the minimum and maximum of each column of `x` [n, dim] to -1 and 1.

        A column whose range is within float32 rounding, such as a constant column, is only shifted to 0.
        """
        data = _as_columns(x)
        low, high = data.amin(0), data.amax(0)
        half = (high - low) / 2
        return cls((low + high) / 2, torch.where(half > 1e-6 * (high + low).abs().clamp(min=1), half, 1.0))

    @classmethod
    def gaussian(cls, x: np.ndarray | Tensor, eps: float = 1e-6) -> "Normalizer":
        """Return the map of each column of `x` [n, dim] to mean 0 and standard deviation 1.

        A column whose standard deviation is at most `eps` is only shifted to 0.
        """
        if eps < 0:
            raise ValueError(f"`eps` must be at least 0. Received {eps}.")
        data = _as_columns(x)
        std = data.std(0, unbiased=False)
        return cls(data.mean(0), torch.where(std > eps, std, 1.0))

    @classmethod
    def identity(cls, dim: int) -> "Normalizer":
        """Return the identity map, which is also the module to load saved weights into."""
        if dim < 1:
            raise ValueError(f"`dim` must be at least 1. Received {dim}.")
        return cls(torch.zeros(dim), torch.ones(dim))

    @classmethod
    def concat(cls, *parts: "Normalizer") -> "Normalizer":
        """Return the normalizer of the concatenated entries of `parts`, such as observation and action."""
        if not parts:
            raise ValueError("`parts` must contain at least one normalizer. Received none.")
        return cls(torch.cat([part.loc for part in parts]), torch.cat([part.scale for part in parts]))

    def extra_repr(self) -> str:
        """Return the part of `repr` in parentheses."""
        return f"dim={self.dim}"

    def _check(self, x: Tensor) -> None:
        if x.ndim < 1 or x.shape[-1] != self.dim:
            raise ValueError(
                f"`x` must have {self.dim} entries along its last axis, as in the data of this normalizer. "
                f"Received shape {tuple(x.shape)}."
            )


def _as_columns(x: np.ndarray | Tensor) -> Float[Tensor, "n dim"]:
    # Sums over a million rows lose digits in float32, so statistics are computed in float64.
    data = torch.as_tensor(x).detach().double()
    if data.ndim != 2 or 0 in data.shape:
        raise ValueError(
            f"`x` must be rows of numbers, [n, dim], with n and dim at least 1. Received shape "
            f"{tuple(data.shape)}."
        )
    bad = ~torch.isfinite(data).all(1)
    if bad.any():
        row = int(bad.nonzero()[0, 0])
        raise ValueError(
            f"`x` must be finite, but {int(bad.sum())} of its {len(data)} rows hold NaN or infinity, "
            f"first row {row}. Received {data[row].tolist()} there; remove or repair these rows."
        )
    return data
