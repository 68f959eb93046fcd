"""The last `stack` encoded frames of each environment, on the device.

`FrameStack`  a ring buffer, so that a stack costs one encoding a step
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

__all__ = ["FrameStack"]


class FrameStack:
    """Keeps the last `stack` frames of each of `rows` environments: [rows, stack, *frame].

    A frame is written over the oldest one; nothing else moves.  What is read is in memory of its own
    and runs from the oldest frame to the newest.

    Example:
        >>> ring = FrameStack(rows=2, stack=3, frame=(1,))
        >>> both = torch.tensor([0, 1])
        >>> ring.fill(both, torch.tensor([[1.0], [5.0]]))
        >>> ring.push(torch.tensor([0]), torch.tensor([[2.0]]))
        >>> ring.read(both)[..., 0]
        tensor([[1., 1., 2.],
                [5., 5., 5.]])
    """

    def __init__(
        self, rows: int, stack: int, frame: tuple[int, ...], device: str | torch.device = "cpu"
    ) -> None:
        self.frames = torch.zeros(rows, stack, *frame, device=device)
        self.oldest = torch.zeros(rows, dtype=torch.long, device=device)
        self._order = torch.arange(stack, device=device)

    @torch.no_grad()
    def fill(self, rows: Int[Tensor, " batch"], frames: Float[Tensor, "batch *frame"]) -> None:
        """An episode begins: as if its first frame had been there for ever."""
        self.frames[rows] = frames.unsqueeze(1).to(self.frames.dtype)

    @torch.no_grad()
    def push(self, rows: Int[Tensor, " batch"], frames: Float[Tensor, "batch *frame"]) -> None:
        """One more frame for each of these rows."""
        self.frames[rows, self.oldest[rows]] = frames.to(self.frames.dtype)
        self.oldest[rows] = (self.oldest[rows] + 1) % len(self._order)

    @torch.no_grad()
    def read(self, rows: Int[Tensor, " batch"]) -> Float[Tensor, "batch stack *frame"]:
        """The frames of these rows, in the order they came."""
        order = (self.oldest[rows].unsqueeze(1) + self._order) % len(self._order)
        return self.frames[rows.unsqueeze(1), order]

    @torch.no_grad()
    def peek(
        self, rows: Int[Tensor, " batch"], frames: Float[Tensor, "batch *frame"]
    ) -> Float[Tensor, "batch stack *frame"]:
        """What `read` would give after `push`, with the ring left as it is."""
        older = self.read(rows)[:, 1:]
        return torch.cat([older, frames.unsqueeze(1).to(older.dtype)], 1)
