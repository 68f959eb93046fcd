"""Memories of recipes: buffers that outlive a batch.

`KeyQueue`       the last keys, as negatives
`NeighborBank`   the last keys and values, searched for nearest neighbors
`MovingCenter`   a moving mean of outputs
`key_queue`      factory of a `KeyQueue`
`moving_center`  factory of a `MovingCenter`
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn import functional as F

from rlpriors.representation.recipe import Memory, Sizes

__all__ = ["KeyQueue", "MovingCenter", "NeighborBank", "key_queue", "moving_center"]


class KeyQueue(Memory):
    """The last `size` vectors of one output, as unit vectors.

    Outputs are "queue", the vectors, and "filled", the number of vectors stored so far.  The queue starts
    empty.

    Raises:
        ValueError: `size` is below 1.

    Example:
        >>> memory = KeyQueue("y.target", size=4, dim=2)
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
        """Return "queue" and "filled"."""
        return {"queue": self.vectors, "filled": self.pushed.clamp(max=len(self.vectors))}

    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Replace the oldest vectors by those of this batch."""
        size = len(self.vectors)
        new = F.normalize(outputs[self.name].float(), dim=1)
        rows = self.pushed + torch.arange(len(new), device=new.device)
        self.vectors[rows[-size:] % size] = new[-size:]
        self.pushed += len(new)


def key_queue(name: str, size: int) -> Callable[[Sizes], Memory]:
    """Return a factory of a `KeyQueue` over this output."""
    return lambda sizes: KeyQueue(name, size, sizes.latent)


class NeighborBank(Memory):
    """The last `size` keys and values, searched for nearest neighbors.

    For each row's "key.query", one of the `n_neighbors` keys of "key.pool" with the highest cosine
    similarity is drawn, and its "value.pool" is returned as "mined".  Candidates are the batch's other rows
    and the last `size` rows of earlier batches.  The bank starts empty.

    Raises:
        ValueError: `size` or `n_neighbors` is below 1.

    Example:
        >>> memory = NeighborBank(size=4, key_dim=2, value_dim=1, n_neighbors=1)
        >>> rows = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0]])
        >>> memory({"key.query": rows, "key.pool": rows, "value.pool": torch.arange(3.0)[:, None]})["mined"].T
        tensor([[1., 0., 1.]])
    """

    keys: Tensor
    values: Tensor
    pushed: Tensor

    def __init__(self, size: int, key_dim: int, value_dim: int, n_neighbors: int = 3) -> None:
        super().__init__()
        for name, number in {"size": size, "n_neighbors": n_neighbors}.items():
            if number < 1:
                raise ValueError(f"`{name}` of a neighbor bank must be at least 1. Received {number}.")
        self.n_neighbors = n_neighbors
        self.register_buffer("keys", torch.zeros(size, key_dim))
        self.register_buffer("values", torch.zeros(size, value_dim))
        self.register_buffer("pushed", torch.zeros((), dtype=torch.long))

    @torch.no_grad()
    def forward(self, outputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return "mined".

        Raises:
            ValueError: the batch does not have more rows than `n_neighbors`.
        """
        query = F.normalize(outputs["key.query"].float(), dim=1)
        rows = len(query)
        if rows <= self.n_neighbors:
            raise ValueError(
                f"A batch must have more rows than `n_neighbors`, {self.n_neighbors}. Received {rows}; take "
                "larger batches."
            )
        keys = torch.cat([F.normalize(outputs["key.pool"].float(), dim=1), self.keys])
        values = torch.cat([outputs["value.pool"].float(), self.values])
        index = torch.arange(len(keys), device=query.device)
        own_row = index == torch.arange(rows, device=query.device)[:, None]
        excluded = (index >= rows + self.pushed) | own_row
        nearest = (query @ keys.T).masked_fill(excluded, -torch.inf).topk(self.n_neighbors, 1).indices
        drawn = torch.randint(self.n_neighbors, (rows, 1), device=query.device)
        return {"mined": values[nearest.gather(1, drawn)[:, 0]]}

    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Replace the oldest keys and values by those of this batch."""
        size, new = len(self.keys), len(outputs["key.pool"])
        rows = (self.pushed + torch.arange(new, device=self.keys.device))[-size:] % size
        self.keys[rows] = F.normalize(outputs["key.pool"].float(), dim=1)[-size:]
        self.values[rows] = outputs["value.pool"].float()[-size:]
        self.pushed += new


class MovingCenter(Memory):
    """The moving mean of the rows of some outputs, as "center"; it starts at 0.

    Raises:
        ValueError: `decay` is not in [0, 1].

    Example:
        >>> memory = MovingCenter(("y.target",), dim=2, decay=0.9)
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
        """Return "center"."""
        return {"center": self.mean}

    def after_step(self, outputs: Mapping[str, Tensor]) -> None:
        """Move the center towards the mean of this batch."""
        rows = torch.cat([outputs[name].float() for name in self.names])
        self.mean.lerp_(rows.mean(0), 1 - self.decay)


def moving_center(*names: str, decay: float = 0.9) -> Callable[[Sizes], Memory]:
    """Return a factory of a `MovingCenter` over these outputs."""
    return lambda sizes: MovingCenter(names, sizes.latent, decay)
