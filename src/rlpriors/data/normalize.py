"""Normalization of raw units, and its inverse.

`Normalizer`       affine map of each entry, with buffers that are saved with the weights
`DiscreteActions`  codes of Discrete actions in [-1, 1], and their inverse
`action_index`     checked indices of Discrete actions
"""

from typing import Literal, get_args

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from rlpriors.arguments import check_arguments
from rlpriors.settings import fit_value

__all__ = ["ActionEncoding", "DiscreteActions", "Normalizer", "action_index"]

ActionEncoding = Literal["one_hot", "bits"]


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

    @check_arguments
    def __init__(self, loc: Tensor, scale: Tensor) -> None:
        super().__init__()
        if loc.ndim != 1 or loc.shape != scale.shape:
            raise ValueError(
                "`loc` and `scale` must be vectors of one length. Received shapes "
                f"{tuple(loc.shape)} and {tuple(scale.shape)}."
            )
        low, wide = loc.detach().float(), scale.detach().float()  # larger float64 numbers become infinite
        if not (torch.isfinite(low).all() and torch.isfinite(wide).all() and (wide > 0).all()):
            raise ValueError(f"`loc` must be finite and `scale` positive. Received {loc} and {scale}.")
        self.register_buffer("loc", low.clone())
        self.register_buffer("scale", wide.clone())

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
        eps = fit_value("eps", eps, float)
        if eps < 0:
            raise ValueError(f"`eps` must be at least 0. Received {eps}.")
        data = _as_columns(x)
        std = data.std(0, unbiased=False)
        return cls(data.mean(0), torch.where(std > eps, std, 1.0))

    @classmethod
    @check_arguments
    def identity(cls, dim: int) -> "Normalizer":
        """Return the identity map, which is also the module to load saved weights into."""
        if dim < 1:
            raise ValueError(f"`dim` must be at least 1. Received {dim}.")
        if dim >= 2**31:
            raise ValueError(f"`dim` must be below 2**31. Received {dim}.")
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


class DiscreteActions(nn.Module):
    """Map of the actions of Discrete(n, start) to codes in [-1, 1], and its inverse.

    It replaces a `Normalizer` of actions.  "one_hot" has n entries, 1 at the action's index and -1 elsewhere.
    "bits" has ceil(log2 n) entries, the binary digits of the index as -1 and 1 (analog bits, arXiv
    2208.04202, section 2).  Codes are buffers, so that saved weights contain them.

    Args:
        n: number of actions, at least 1.
        start: lowest action.
        encoding: "one_hot" or "bits".

    Raises:
        ValueError: `n` or `encoding` is out of its bounds.

    Example:
        >>> actions = DiscreteActions(3, start=5)
        >>> actions(torch.tensor([[7.0]]))
        tensor([[-1., -1.,  1.]])
        >>> actions.inverse(torch.tensor([[0.2, 0.6, -0.9]]))
        tensor([[6.]])
        >>> DiscreteActions(6, encoding="bits")(torch.tensor([[5.0]]))
        tensor([[ 1., -1.,  1.]])
    """

    codes: Tensor
    start: Tensor

    def __init__(self, n: int, start: int = 0, encoding: ActionEncoding = "one_hot") -> None:
        super().__init__()
        if n < 1:
            raise ValueError(f"`n` must be at least 1. Received {n}.")
        if encoding not in get_args(ActionEncoding):
            raise ValueError(f"`encoding` must be one of {get_args(ActionEncoding)}. Received {encoding!r}.")
        self.encoding = encoding
        if encoding == "one_hot":
            digits = torch.eye(n)
        else:
            n_bits = max(1, (n - 1).bit_length())
            digits = (torch.arange(n)[:, None] >> torch.arange(n_bits - 1, -1, -1)) % 2
        self.register_buffer("codes", 2.0 * digits - 1)
        self.register_buffer("start", torch.tensor(int(start)))

    @property
    def n(self) -> int:
        """Number of actions."""
        return int(self.codes.shape[0])

    @property
    def dim(self) -> int:
        """Number of entries of a code."""
        return int(self.codes.shape[1])

    @property
    def space(self) -> gym.spaces.Discrete:
        """Space of the actions."""
        return gym.spaces.Discrete(self.n, start=int(self.start))

    def forward(self, act: Float[Tensor, "*batch 1"]) -> Float[Tensor, "*batch dim"]:
        """Map actions to their codes.

        Raises:
            ValueError: an action is not in the space.
        """
        return self.codes[action_index(act, self.n, int(self.start))]

    def inverse(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch 1"]:
        """Map each row to the action whose code is nearest; for "one_hot" the largest entry."""
        index: Tensor = (x @ self.codes.T).argmax(-1, keepdim=True)
        return (index + self.start).to(x.dtype)

    def one_hot(self, x: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch n"]:
        """Map codes to one-hot rows of 0 and 1, differentiable in between.

        Entries of "one_hot" are (x + 1) / 2.  Those of "bits" are the product of the digits' probabilities.
        """
        if self.encoding == "one_hot":
            return (x + 1) / 2
        return ((1 + x[..., None, :] * self.codes) / 2).prod(-1)

    def extra_repr(self) -> str:
        """Return the part of `repr` in parentheses."""
        return f"n={self.n}, start={int(self.start)}, encoding={self.encoding!r}"


def action_index(act: Float[Tensor, "*batch 1"], n: int, start: int = 0) -> Int[Tensor, "*batch"]:
    """Return the indices in 0..n-1 of actions of Discrete(n, start).

    Raises:
        ValueError: an action is not in the space.
    """
    index = act[..., 0].round()
    wrong = (index < start) | (index >= start + n) | ((act[..., 0] - index).abs() > 1e-3)
    if wrong.any():
        name = f"Discrete({n}, start={start})" if start else f"Discrete({n})"
        raise ValueError(
            f"`act` must be actions of {name}, whole numbers in {start}..{start + n - 1}. Received "
            f"{act[..., 0][wrong][0].item():g}; give actions of the environment that the reward or the prior "
            "was made for."
        )
    return index.long() - start


def _as_columns(x: np.ndarray | Tensor) -> Float[Tensor, "n dim"]:
    # Sums over a million rows lose digits in float32, so statistics are computed in float64.
    try:
        data = torch.as_tensor(x).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"`x` must be rows of numbers, [n, dim]. Received {type(x).__name__}.") from error
    if data.is_complex():
        raise ValueError(f"`x` must hold real numbers. Received {data.dtype}.")
    data = data.double()
    if data.ndim != 2 or 0 in data.shape:
        raise ValueError(
            f"`x` must be rows of numbers, [n, dim], with n and dim at least 1. Received shape "
            f"{tuple(data.shape)}."
        )
    bad = ~torch.isfinite(data.float()).all(1)  # as the buffers of a normalizer
    if bad.any():
        row = int(bad.nonzero()[0, 0])
        raise ValueError(
            f"`x` must be finite, but {int(bad.sum())} of its {len(data)} rows hold NaN or infinity, "
            f"first row {row}. Received {data[row].tolist()} there; remove or repair these rows."
        )
    return data
