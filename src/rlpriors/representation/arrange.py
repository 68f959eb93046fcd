"""Other images made of a window's frames.

`Arrange`   what makes them
"""

from abc import ABC, abstractmethod

from torch import Tensor

__all__ = ["Arrange"]


class Arrange(ABC):
    """Makes other images of augmented frames, all of the encoder's input size."""

    @abstractmethod
    def __call__(self, images: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """From [batch, time, channels, rows, columns] to images of the same rank, and by name what was
        chosen, such as labels.
        """
