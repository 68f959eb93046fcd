"""Random masks over the tokens of an image, the augmentations of vision transformers.

`TokenMask`   base class of masks
`RandomMask`  a random fraction of all tokens is masked (masked autoencoders)
`BlockMask`   a large context block without smaller target blocks (I-JEPA)
"""

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

from rlpriors.settings import check_fields

__all__ = ["BlockMask", "RandomMask", "TokenMask"]


class TokenMask(ABC):
    """Base class of masks, which choose the visible tokens of the online encoder for each image."""

    @abstractmethod
    def __call__(
        self, images: int, grid: tuple[int, int], device: torch.device
    ) -> tuple[Int[Tensor, "images tokens"], dict[str, Tensor]]:
        """Return indices of visible tokens, and other random choices by name, such as tokens to predict.

        Tokens are numbered row by row from the top left.
        """


@dataclass(frozen=True)
class RandomMask(TokenMask):
    """A mask of a fraction `ratio` of the tokens (2111.06377, sec. 3).

    The indices of masked tokens are the random choice "masked".

    Raises:
        ValueError: `ratio` is out of its bounds.

    Example:
        >>> visible, chosen = RandomMask(0.75)(2, (4, 4), torch.device("cpu"))
        >>> visible.shape, chosen["masked"].shape
        (torch.Size([2, 4]), torch.Size([2, 12]))
    """

    ratio: float = 0.75
    """Fraction of tokens that is masked, between 0 and 1."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 < self.ratio < 1:
            raise ValueError(f"`ratio` of a mask must be between 0 and 1. Received {self.ratio}.")

    def __call__(
        self, images: int, grid: tuple[int, int], device: torch.device
    ) -> tuple[Int[Tensor, "images tokens"], dict[str, Tensor]]:
        count = grid[0] * grid[1]
        n_visible = min(count - 1, max(1, round(count * (1 - self.ratio))))
        order = torch.rand(images, count, device=device).argsort(1)
        return order[:, :n_visible], {"masked": order[:, n_visible:]}


@dataclass(frozen=True)
class BlockMask(TokenMask):
    """A large context block without `n_blocks` smaller target blocks (2301.08243, sec. 3).

    The indices of target tokens are the random choice "targets", [images, blocks, tokens].  All images of
    a batch have blocks of one size, each at its own position.  The number of visible tokens is the smallest
    over the images of a batch; they are drawn from all tokens that the targets leave in the context.

    Raises:
        ValueError: a field is out of its bounds, or the grid has fewer than 4 rows or columns.

    Example:
        >>> visible, chosen = BlockMask()(2, (8, 8), torch.device("cpu"))
        >>> chosen["targets"].shape[:2]
        torch.Size([2, 4])
    """

    n_blocks: int = 4
    """Number of target blocks, at least 1."""
    area: tuple[float, float] = (0.15, 0.2)
    """Bounds of the fraction of all tokens in a target block."""
    aspect: tuple[float, float] = (0.75, 1.5)
    """Bounds of a target block's rows divided by its columns."""
    context: tuple[float, float] = (0.85, 1.0)
    """Bounds of the fraction of all tokens in the context block."""

    def __post_init__(self) -> None:
        check_fields(self)
        if self.n_blocks < 1:
            raise ValueError(f"`n_blocks` must be at least 1. Received {self.n_blocks}.")
        for name in ("area", "aspect", "context"):
            low, high = getattr(self, name)
            if not 0 < low <= high or (name != "aspect" and high > 1):
                raise ValueError(
                    f"`{name}` must be (least, most), above 0{'' if name == 'aspect' else ' and at most 1'}. "
                    f"Received {(low, high)}."
                )
        if self.n_blocks * self.area[1] >= self.context[0]:
            raise ValueError(
                f"`n_blocks` times the largest `area` must be below the smallest `context`, "
                f"{self.context[0]}. Received {self.n_blocks} blocks of up to {self.area[1]}; take "
                "fewer or smaller blocks."
            )

    def __call__(
        self, images: int, grid: tuple[int, int], device: torch.device
    ) -> tuple[Int[Tensor, "images tokens"], dict[str, Tensor]]:
        if min(grid) < 4:
            raise ValueError(
                f"The encoder must have at least 4 x 4 tokens for a block mask. Received {grid[0]} x "
                f"{grid[1]}; take larger images or smaller patches."
            )
        count = grid[0] * grid[1]
        context = self._uniform(self.context)
        rows = math.ceil(grid[0] * math.sqrt(context))
        large = self._block_tokens((rows, math.ceil(context * count / rows)), images, 1, grid, device)
        area, aspect = self._uniform(self.area) * count, self._uniform(self.aspect)
        rows = min(grid[0], max(1, round(math.sqrt(area * aspect))))
        # Never more than its area: visible tokens remain.
        small = (rows, min(grid[1], max(1, int(area / rows))))
        targets = self._block_tokens(small, images, self.n_blocks, grid, device)

        in_context = torch.zeros(images, count, dtype=torch.bool, device=device)
        in_context = in_context.scatter(1, large.flatten(1), True).scatter(1, targets.flatten(1), False)
        n_visible = int(in_context.sum(1).min())
        order = torch.rand(images, count, device=device).masked_fill(~in_context, 2.0).argsort(1)
        return order[:, :n_visible], {"targets": targets}

    def _block_tokens(
        self, size: tuple[int, int], images: int, blocks: int, grid: tuple[int, int], device: torch.device
    ) -> Tensor:
        """Return the token indices of blocks of this size at random positions: [images, blocks, tokens]."""
        corners = [
            torch.randint(total - extent + 1, (images, blocks, 1, 1), device=device)
            for total, extent in zip(grid, size, strict=True)
        ]
        rows = corners[0] + torch.arange(size[0], device=device)[:, None]
        columns = corners[1] + torch.arange(size[1], device=device)
        return (rows * grid[1] + columns).flatten(2)

    def _uniform(self, bounds: tuple[float, float]) -> float:
        return bounds[0] + (bounds[1] - bounds[0]) * torch.rand(()).item()
