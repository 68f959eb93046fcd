"""What outlasts a batch.

`Queue`       the last keys, as negatives
`Neighbors`  a pool of the last codes, in which near ones are found
`Center`      a moving mean
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from rlpriors.representation.recipe import Memory, Sizes

__all__ = ["Center", "Neighbors", "Queue", "center", "queue"]


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


class Neighbors(Memory):
    """For each row's "key.query" a near one of "key.pool", drawn among the `nearest`: its "value.pool" is
    "mined".

    Candidates are the batch's other rows and the last `size` ones of earlier batches; nearness is the
    cosine.  It starts empty, and is saved with everything else.

    Raises:
        ValueError: a number is below 1.

    Example:
        >>> memory = Neighbors(size=4, keys=2, values=1, nearest=1)
        >>> rows = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> memory({"key.query": rows, "key.pool": rows, "value.pool": torch.arange(3.0)[:, None]})["mined"].T
        tensor([[1., 0., 1.]])
    """

    keys: Tensor
    values: Tensor
    pushed: Tensor

    def __init__(self, size: int, keys: int, values: int, nearest: int = 3) -> None:
        super().__init__()
        for name, number in {"size": size, "nearest": nearest}.items():
            if number < 1:
                raise ValueError(f"`{name}` of a pool must be at least 1. Received {number}.")
        self.nearest = nearest
        self.register_buffer("keys", torch.zeros(size, keys))
        self.register_buffer("values", torch.zeros(size, values))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """What was mined.

        Raises:
            ValueError: the batch alone must have more rows than `nearest`, and has not.
        """
        query = F.normalize(outputs["key.query"].float(), dim=1)
        rows = len(query)
        if rows <= self.nearest:
            raise ValueError(
                f"A batch must have more rows than `nearest`, {self.nearest}. Received {rows}; take larger "
                "batches."
            )
        keys = torch.cat([F.normalize(outputs["key.pool"].float(), dim=1), self.keys])
        values = torch.cat([outputs["value.pool"].float(), self.values])
        index = torch.arange(len(keys), device=query.device)
        hidden = (index >= rows + self.pushed) | (index == torch.arange(rows, device=query.device)[:, None])
        near = (query @ keys.T).masked_fill(hidden, -torch.inf).topk(self.nearest, 1).indices
        drawn = torch.randint(self.nearest, (rows, 1), device=query.device)
        return {"mined": values[near.gather(1, drawn)[:, 0]]}

    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Put this batch's in place of the oldest."""
        size, new = len(self.keys), len(outputs["key.pool"])
        rows = (self.pushed + torch.arange(new, device=self.keys.device))[-size:] % size
        self.keys[rows] = F.normalize(outputs["key.pool"].float(), dim=1)[-size:]
        self.values[rows] = outputs["value.pool"].float()[-size:]
        self.pushed += new


class Center(Memory):
    """The moving mean of some outputs' rows together: "center".  It starts at 0.

    Raises:
        ValueError: `decay` is not in [0, 1].

    Example:
        >>> memory = Center(("y.target",), dim=2, decay=0.9)
        >>> memory.after_step({"y.target": torch.tensor([[1.0, 0.0], [1.0, 4.0]])})
        >>> memory({})["center"]
        tensor([0.1000, 0.2000])
    """

    mean: Tensor

    def __init__(self, names: tuple[str, ...], dim: int, decay: float = 0.9) -> None:
        super().__init__()
        if not 0 <= decay <= 1:
            raise ValueError(f"`decay` of a center must be in [0, 1]. Received {decay}.")
        self.names, self.decay = names, decay
        self.register_buffer("mean", torch.zeros(dim))

    def forward(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Where it is now."""
        return {"center": self.mean}

    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Move towards this batch's mean."""
        rows = torch.cat([outputs[name].float() for name in self.names])
        self.mean.lerp_(rows.mean(0), 1 - self.decay)


def center(*names: str, decay: float = 0.9) -> Callable[[Sizes], Memory]:
    """Makes a `Center` of these outputs."""
    return lambda sizes: Center(names, sizes.latent, decay)
