"""Entries of a window that are known: inpainting by mask (Diffuser, arXiv 2205.09991, section 3.4)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Condition"]


@dataclass(frozen=True)
class Condition:
    """Which entries of a window are known (`mask`) and what they are (`value`).

    Conditions are combined with `|`; where both know an entry, the right one is taken.

    Example:
        >>> start = Condition.frames(torch.ones(2, 1, 3), horizon=4, dim=5)
        >>> goal = Condition.frames(torch.zeros(2, 1, 3), horizon=4, dim=5, first=-1)
        >>> (start | goal).apply(torch.full((2, 4, 5), 7.0))[0, :, 0].tolist()
        [1.0, 7.0, 7.0, 0.0]
    """

    mask: Bool[Tensor, "batch horizon dim"]
    value: Float[Tensor, "batch horizon dim"]

    @classmethod
    def frames(
        cls, known: Float[Tensor, "batch frames entries"], *, horizon: int, dim: int, first: int = 0
    ) -> "Condition":
        """Know the first entries of consecutive frames.

        Frame 0 is a start state, `first=-1` a goal, several frames a history.

        Args:
            known: the values, already normalized as the window is.
            horizon: frames of the window.
            dim: entries of a frame; `known` may give fewer, and then gives the leading ones.
            first: the first known frame; negative counts from the end.
        """
        batch, frames, entries = known.shape
        begin = first if first >= 0 else horizon + first
        if begin < 0 or begin + frames > horizon or entries > dim:
            raise ValueError(
                f"`known` gives {frames} frames of {entries} entries from frame {first} on, which does "
                f"not fit in a window of {horizon} frames of {dim} entries."
            )
        mask = torch.zeros(batch, horizon, dim, dtype=torch.bool, device=known.device)
        value = torch.zeros(batch, horizon, dim, dtype=known.dtype, device=known.device)
        mask[:, begin : begin + frames, :entries] = True
        value[:, begin : begin + frames, :entries] = known
        return cls(mask, value)

    def apply(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, "batch horizon dim"]:
        """A copy of `x` with the known entries written in."""
        return torch.where(self.mask, self.value, x)

    def repeat(self, n: int) -> "Condition":
        """Each row `n` times in a row, for `n` candidates of each."""
        return Condition(self.mask.repeat_interleave(n, 0), self.value.repeat_interleave(n, 0))

    def __or__(self, other: "Condition") -> "Condition":
        return Condition(self.mask | other.mask, torch.where(other.mask, other.value, self.value))
