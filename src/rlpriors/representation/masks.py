"""Which tokens of an image are shown: masks are augmentations of transformers.

`TokenMask`    what a mask is
`RandomMask`   a part of all tokens at random, as a masked autoencoder does it
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from jaxtyping import Int
from torch import Tensor

__all__ = ["RandomMask", "TokenMask"]


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
