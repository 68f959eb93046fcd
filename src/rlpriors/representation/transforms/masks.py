"""Which tokens of an image are shown: masks are augmentations of transformers.

`TokenMask`    what a mask is
`RandomMask`   a part of all tokens at random, as a masked autoencoder does it
`BlockMask`    a large block less some smaller ones, which are to be predicted, as I-JEPA does it
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["BlockMask", "RandomMask", "TokenMask"]


class TokenMask(ABC):
    """Chooses, for each image of a batch, the tokens that the online encoder sees."""

    @abstractmethod
    def __call__(
        self, images: int, grid: tuple[int, int], device: torch.device
    ) -> tuple[Int[Tensor, "images tokens"], dict[str, Tensor]]:
        """Numbers of the tokens kept of each image, row by row from the top left, and by name whatever
        else was chosen, such as the tokens to predict.
        """


@dataclass(frozen=True)
class RandomMask(TokenMask):
    """Hides `ratio` of the tokens (2111.06377, sec. 3); which ones it hides comes as "hidden".

    Raises:
        ValueError: `ratio` is out of its bounds.

    Example:
        >>> kept, chosen = RandomMask(0.75)(2, (4, 4), torch.device("cpu"))
        >>> kept.shape, chosen["hidden"].shape
        (torch.Size([2, 4]), torch.Size([2, 12]))
    """

    ratio: float = 0.75
    """The part of all tokens that is hidden, between 0 and 1."""

    def __post_init__(self) -> None:
        if not 0 < self.ratio < 1:
            raise ValueError(f"`ratio` must be between 0 and 1. Received {self.ratio}.")

    def __call__(
        self, images: int, grid: tuple[int, int], device: torch.device
    ) -> tuple[Int[Tensor, "images tokens"], dict[str, Tensor]]:
        count = grid[0] * grid[1]
        keep = min(count - 1, max(1, round(count * (1 - self.ratio))))
        order = torch.rand(images, count, device=device).argsort(1)
        return order[:, :keep], {"hidden": order[:, keep:]}


@dataclass(frozen=True)
class BlockMask(TokenMask):
    """Shows one large block less `blocks` smaller ones (2301.08243, sec. 3); these come as "targets",
    [images, blocks, tokens].

    All images of a batch have blocks of one size, each at its own places; so many tokens are kept of
    each as are left in the image with the fewest, drawn from all that are left.

    Raises:
        ValueError: a field is out of its bounds, or the grid has fewer than 4 rows or columns.

    Example:
        >>> kept, chosen = BlockMask()(2, (8, 8), torch.device("cpu"))
        >>> chosen["targets"].shape[:2]
        torch.Size([2, 4])
    """

    blocks: int = 4
    """Blocks to predict, at least 1."""
    area: tuple[float, float] = (0.15, 0.2)
    """The part of all tokens that each of them has: least and most."""
    aspect: tuple[float, float] = (0.75, 1.5)
    """Their rows by their columns: least and most."""
    context: tuple[float, float] = (0.85, 1.0)
    """The part of all tokens that the large block has: least and most."""

    def __post_init__(self) -> None:
        if self.blocks < 1:
            raise ValueError(f"`blocks` must be at least 1. Received {self.blocks}.")
        for name in ("area", "aspect", "context"):
            low, high = getattr(self, name)
            if not 0 < low <= high or (name != "aspect" and high > 1):
                raise ValueError(
                    f"`{name}` must be (least, most), above 0{'' if name == 'aspect' else ' and at most 1'}. "
                    f"Received {(low, high)}."
                )
        if self.blocks * self.area[1] >= self.context[0]:
            raise ValueError(
                f"{self.blocks} `blocks` of an `area` up to {self.area[1]} may hide all of a `context` of "
                f"{self.context[0]}. Take fewer or smaller ones."
            )

    def __call__(
        self, images: int, grid: tuple[int, int], device: torch.device
    ) -> tuple[Int[Tensor, "images tokens"], dict[str, Tensor]]:
        if min(grid) < 4:
            raise ValueError(
                f"The encoder must have at least 4 x 4 tokens for blocks of them. Received {grid[0]} x "
                f"{grid[1]}; take larger images or smaller patches."
            )
        count = grid[0] * grid[1]
        whole = self._uniform(self.context)
        rows = math.ceil(grid[0] * math.sqrt(whole))
        large = self._places((rows, math.ceil(whole * count / rows)), images, 1, grid, device)
        area, aspect = self._uniform(self.area) * count, self._uniform(self.aspect)
        rows = min(grid[0], max(1, round(math.sqrt(area * aspect))))
        small = (rows, min(grid[1], max(1, int(area / rows))))  # never more than its area: something is left
        targets = self._places(small, images, self.blocks, grid, device)

        shown = torch.zeros(images, count, dtype=torch.bool, device=device)
        shown = shown.scatter(1, large.flatten(1), True).scatter(1, targets.flatten(1), False)
        fewest = int(shown.sum(1).min())
        order = torch.rand(images, count, device=device).masked_fill(~shown, 2.0).argsort(1)
        return order[:, :fewest], {"targets": targets}

    def _places(
        self, size: tuple[int, int], images: int, blocks: int, grid: tuple[int, int], device: torch.device
    ) -> Tensor:
        """Numbers of the tokens of blocks of this size anywhere: [images, blocks, tokens]."""
        corners = [
            torch.randint(all_ - part + 1, (images, blocks, 1, 1), device=device)
            for all_, part in zip(grid, size, strict=True)
        ]
        rows = corners[0] + torch.arange(size[0], device=device)[:, None]
        columns = corners[1] + torch.arange(size[1], device=device)
        return (rows * grid[1] + columns).flatten(2)

    def _uniform(self, bounds: tuple[float, float]) -> float:
        return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(()).item()
