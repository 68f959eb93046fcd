"""Permuted tiles of an image (jigsaw puzzles).

`TileTransform`         base class of transforms from frames to several images
`Jigsaw`                tiles of an image in a permuted order
`hamming_permutations`  permutations with large Hamming distances
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import lru_cache
from math import factorial

import torch
from jaxtyping import Int
from torch import Tensor
from torch.nn import functional as F

__all__ = ["Jigsaw", "TileTransform", "hamming_permutations"]

CANDIDATES = 20_000
"""Number of random permutations from which the set is chosen."""


class TileTransform(ABC):
    """Base class of transforms from augmented frames to other images of the encoder's input size."""

    @abstractmethod
    def __call__(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return images and the random choices by name, such as labels.

        Input and output are [batch, time, channels, rows, columns].
        """


@lru_cache(maxsize=8)
def hamming_permutations(
    n_permutations: int, n_items: int, seed: int = 0
) -> Int[Tensor, "permutations items"]:
    """Return permutations of `n_items` items that differ from each other in many places.

    Each permutation is the one of 20,000 random candidates with the largest Hamming distance to all earlier
    ones (1603.09246, algorithm 1).

    Raises:
        ValueError: `n_permutations` is out of its bounds.
    """
    most = min(CANDIDATES, factorial(n_items))
    if not 2 <= n_permutations <= most:
        raise ValueError(
            f"`n_permutations` must be at least 2 and at most {most} for {n_items} items. "
            f"Received {n_permutations}."
        )
    generator = torch.Generator().manual_seed(seed)
    candidates = torch.rand(CANDIDATES, n_items, generator=generator).argsort(1).unique(dim=0)
    chosen = [candidates[int(torch.randint(len(candidates), (), generator=generator))]]
    nearest = torch.full((len(candidates),), n_items)
    total = torch.zeros(len(candidates), dtype=torch.long)
    while len(chosen) < n_permutations:
        distance = (candidates != chosen[-1]).sum(1)
        nearest, total = torch.minimum(nearest, distance), total + distance
        # Largest distance to the nearest chosen one; ties by the largest mean distance.
        chosen.append(candidates[(nearest * (n_items * n_permutations + 1) + total).argmax()])
    return torch.stack(chosen)


@dataclass(frozen=True)
class Jigsaw(TileTransform):
    """Tiles of an image, each resized to the size of an image, in a permuted order.

    The index of the permutation is the random choice "permutation".  Each tile is a random crop of its
    cell, so that edges do not reveal which tiles are adjacent (1603.09246, sec. 3.3).

    Raises:
        ValueError: a field is out of its bounds, or clips have more than one frame.

    Example:
        >>> tiles, chosen = Jigsaw()(torch.rand(2, 1, 3, 40, 40))
        >>> tiles.shape, chosen["permutation"].shape
        (torch.Size([2, 9, 3, 40, 40]), torch.Size([2]))
    """

    grid_size: int = 3
    """Number of tiles in a row and in a column, at least 2."""
    n_permutations: int = 100
    """Number of permutations, at least 2."""
    tile_fraction: float = 0.85
    """Fraction of a cell's rows and columns that a tile covers, in (0, 1]."""
    seed: int = 0
    """Random seed of the set of permutations."""

    def __post_init__(self) -> None:
        if self.grid_size < 2:
            raise ValueError(f"`grid_size` must be at least 2. Received {self.grid_size}.")
        if not 0 < self.tile_fraction <= 1:
            raise ValueError(f"`tile_fraction` must be in (0, 1]. Received {self.tile_fraction}.")
        if not 2 <= self.n_permutations <= min(CANDIDATES, factorial(self.grid_size**2)):
            hamming_permutations(self.n_permutations, self.grid_size**2, self.seed)  # raises

    def __call__(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return tiles in their new order, along the time axis."""
        if images.shape[1] != 1:
            raise ValueError(
                f"`images` of a jigsaw must be single frames. Received clips of {images.shape[1]}."
            )
        n_tiles = self.grid_size**2
        orders = hamming_permutations(self.n_permutations, n_tiles, self.seed).to(images.device)
        label = torch.randint(self.n_permutations, (len(images),), device=images.device)
        cells = orders[label]  # (batch, tiles)
        xy = torch.stack([cells % self.grid_size, cells // self.grid_size], 2)  # columns come first in a grid
        center = (2 * xy + 1) / self.grid_size - 1
        margin = (1 - self.tile_fraction) / self.grid_size
        center = center + margin * (2 * torch.rand(center.shape, device=images.device) - 1)
        scale = torch.eye(2, device=images.device) * (self.tile_fraction / self.grid_size)
        theta = torch.cat([scale.expand(*center.shape[:2], 2, 2), center[..., None]], 3).flatten(0, 1)
        repeated = images.expand(-1, n_tiles, -1, -1, -1).flatten(0, 1)
        grid = F.affine_grid(theta.to(images.dtype), list(repeated.shape), align_corners=False)
        tiles = F.grid_sample(repeated, grid, padding_mode="border", align_corners=False)
        return tiles.unflatten(0, (len(images), -1)), {"permutation": label}
