"""What outlasts a batch.

`Queue`   the last keys, as negatives
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from rlpriors.representation.recipe import Memory, Sizes

__all__ = ["Queue", "queue"]


class Queue(Memory):
    """The last `size` vectors of one output, as unit vectors: "queue", of which "filled" are there.

    It starts empty, lives on the device, and is saved with everything else.

    Raises:
        ValueError: `size` is below 1.

    Example:
        >>> memory = Queue("y.target", size=4, dim=2)
        >>> memory.after_step({"y.target": torch.ones(3, 2)})
        >>> int(memory({})["filled"])
        3
    """

    vectors: Tensor
    pushed: Tensor

    def __init__(self, name: str, size: int, dim: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"`size` of a queue must be at least 1. Received {size}.")
        self.name = name
        self.register_buffer("vectors", torch.zeros(size, dim))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.long))

    def forward(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What it holds now."""
        return {"queue": self.vectors, "filled": self.pushed.clamp(max=len(self.vectors))}

    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Put this batch's in place of the oldest."""
        size = len(self.vectors)
        new = F.normalize(outputs[self.name].float(), dim=1)
        rows = self.pushed + torch.arange(len(new), device=new.device)
        self.vectors[rows[-size:] % size] = new[-size:]
        self.pushed += len(new)


def queue(name: str, size: int) -> Callable[[Sizes], Memory]:
    """Makes a `Queue` of this output."""
    return lambda sizes: Queue(name, size, sizes.latent)
