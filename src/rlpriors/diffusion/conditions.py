"""Entries of a window that are known: inpainting by mask (Diffuser, arXiv 2205.09991, section 3.4)."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["Condition"]


@dataclass(frozen=True)
class Condition:
    """Known entries of a window: their positions (`mask`) and values (`value`).

    `a | b` combines two conditions.  Where both contain an entry, `b` takes precedence.

    Example:
        >>> start = Condition.fix_steps(torch.ones(2, 1, 3), horizon=4, dim=5)
        >>> goal = Condition.fix_steps(torch.zeros(2, 1, 3), horizon=4, dim=5, first=-1)
        >>> (start | goal).apply(torch.full((2, 4, 5), 7.0))[0, :, 0].tolist()
        [1.0, 7.0, 7.0, 0.0]
    """

    mask: Bool[Tensor, "batch horizon dim"]
    value: Float[Tensor, "batch horizon dim"]

    @classmethod
    def fix_steps(
        cls, known: Float[Tensor, "batch steps entries"], *, horizon: int, dim: int, first: int = 0
    ) -> "Condition":
        """Fix the leading entries of consecutive time steps.

        Step 0 fixes a start state, `first=-1` a goal, several steps a history.

        Args:
            known: the values, in the window's normalized units.
            horizon: number of time steps of the window.
            dim: entries of a time step; `known` may hold fewer and then fixes the leading ones.
            first: the first fixed step; negative numbers count from the end.

        Raises:
            ValueError: the steps or entries do not fit in the window.
        """
        batch, steps, entries = known.shape
        begin = first if first >= 0 else horizon + first
        if begin < 0 or begin + steps > horizon or entries > dim:
            raise ValueError(
                f"`known` must fit in a window of {horizon} steps of {dim} entries. Received {steps} steps "
                f"of {entries} entries, from step {first} on."
            )
        mask = torch.zeros(batch, horizon, dim, dtype=torch.bool, device=known.device)
        value = torch.zeros(batch, horizon, dim, dtype=known.dtype, device=known.device)
        mask[:, begin : begin + steps, :entries] = True
        value[:, begin : begin + steps, :entries] = known
        return cls(mask, value)

    def apply(self, x: Float[Tensor, "batch horizon dim"]) -> Float[Tensor, "batch horizon dim"]:
        """Return a copy of `x` with the known entries written in."""
        return torch.where(self.mask, self.value, x)

    def repeat(self, n: int) -> "Condition":
        """Repeat each row `n` times in a row, for `n` candidates of each window."""
        return Condition(self.mask.repeat_interleave(n, 0), self.value.repeat_interleave(n, 0))

    def __or__(self, other: "Condition") -> "Condition":
        return Condition(self.mask | other.mask, torch.where(other.mask, other.value, self.value))
