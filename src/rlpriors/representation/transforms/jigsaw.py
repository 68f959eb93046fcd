"""Other images made of a window's frames.

`Arrange`        what makes them
`Jigsaw`         tiles of an image in another order
`permutations`   orders that are as different from each other as can be
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Arrange", "Jigsaw", "permutations"]

CANDIDATES = 20_000


class Arrange(ABC):
    """Makes other images of augmented frames, all of the encoder's input size."""

    @abstractmethod
    def __call__(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """From [batch, time, channels, rows, columns] to images of the same rank, and by name what was
        chosen, such as labels.
        """


@lru_cache(maxsize=8)
def permutations(count: int, of: int, seed: int = 0) -> Int[Tensor, "count of"]:
    """`count` orders of `of` things, each the one of 20,000 random orders that is furthest from all before.

    Distances are Hamming's: the number of places where two orders differ (1603.09246, algorithm 1).

    Raises:
        ValueError: there are not so many.
    """
    if not 2 <= count <= min(CANDIDATES, factorial(of)):
        raise ValueError(
            f"`count` must be at least 2 and at most {min(CANDIDATES, factorial(of))} for {of} things. "
            f"Received {count}."
        )
    generator = torch.Generator().manual_seed(seed)
    candidates = torch.rand(CANDIDATES, of, generator=generator).argsort(1).unique(dim=0)
    chosen = [candidates[int(torch.randint(len(candidates), (), generator=generator))]]
    nearest = torch.full((len(candidates),), of)
    total = torch.zeros(len(candidates), dtype=torch.long)
    while len(chosen) < count:
        distance = (candidates != chosen[-1]).sum(1)
        nearest, total = torch.minimum(nearest, distance), total + distance
        # Furthest from the nearest; where several are, furthest on average.
        chosen.append(candidates[(nearest * (of * count + 1) + total).argmax()])
    return torch.stack(chosen)


@dataclass(frozen=True)
class Jigsaw(Arrange):
    """Cuts an image into tiles, brings each to the size of an image, and changes their order; which
    order it is comes as "permutation".

    Each tile is a random part of its cell, so that edges do not tell what comes next to what
    (1603.09246, sec. 3.3).

    Raises:
        ValueError: a field is out of its bounds, or windows have more than one frame.

    Example:
        >>> tiles, chosen = Jigsaw()(torch.rand(2, 1, 3, 40, 40))
        >>> tiles.shape, chosen["permutation"].shape
        (torch.Size([2, 9, 3, 40, 40]), torch.Size([2]))
    """

    side: int = 3
    """Tiles in a row, and rows of them; at least 2."""
    count: int = 100
    """How many orders there are, at least 2."""
    part: float = 0.85
    """The part of a cell's rows and columns that a tile shows, in (0, 1]."""
    seed: int = 0
    """Chooses the orders."""

    def __post_init__(self) -> None:
        if self.side < 2:
            raise ValueError(f"`side` must be at least 2. Received {self.side}.")
        if not 0 < self.part <= 1:
            raise ValueError(f"`part` must be in (0, 1]. Received {self.part}.")
        if not 2 <= self.count <= min(CANDIDATES, factorial(self.side**2)):
            permutations(self.count, self.side**2, self.seed)  # says why not

    def __call__(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Tiles in their new order, in the place of time."""
        if images.shape[1] != 1:
            raise ValueError(f"A jigsaw is made of one frame. Received windows of {images.shape[1]}.")
        orders = permutations(self.count, self.side**2, self.seed).to(images.device)
        label = torch.randint(self.count, (len(images),), device=images.device)
        cells = orders[label]  # (batch, tiles)
        places = torch.stack([cells % self.side, cells // self.side], 2)  # columns come first in a grid
        middle = (2 * places + 1) / self.side - 1
        room = (1 - self.part) / self.side
        middle = middle + room * (2 * torch.rand(middle.shape, device=images.device) - 1)
        scale = torch.eye(2, device=images.device) * (self.part / self.side)
        theta = torch.cat([scale.expand(*middle.shape[:2], 2, 2), middle[..., None]], 3).flatten(0, 1)
        repeated = images.expand(-1, self.side**2, -1, -1, -1).flatten(0, 1)
        grid = F.affine_grid(theta.to(images.dtype), list(repeated.shape), align_corners=False)
        tiles = F.grid_sample(repeated, grid, padding_mode="border", align_corners=False)
        return tiles.unflatten(0, (len(images), -1)), {"permutation": label}
