"""Projectors from features to the vectors that losses compare; the target network has a copy.

`identity_projector`  factory of a projector that returns the encoder's vector
`mlp`                 factory of a projector with a multilayer perceptron
`MLP`                 multilayer perceptron
`Head`                a module applied to the encoder's vector
"""

from collections.abc import Callable
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.representation.recipe import Sizes
from rlpriors.types import Features

__all__ = ["MLP", "Head", "identity_projector", "mlp"]


class MLP(nn.Sequential):
    """Linear layers with ReLU between them, and with `norm` batch normalization before each ReLU.

    Example:
        >>> import torch
        >>> MLP((8, 16, 4))(torch.zeros(2, 8)).shape
        torch.Size([2, 4])
    """

    def __init__(self, widths: tuple[int, ...], *, norm: bool = False) -> None:
        layers: list[nn.Module] = []
        for i, (before, after) in enumerate(pairwise(widths), start=2):
            last = i == len(widths)
            layers.append(nn.Linear(before, after, bias=last or not norm))
            if not last:
                layers += [nn.BatchNorm1d(after)] if norm else []
                layers.append(nn.ReLU())
        super().__init__(*layers)


class Head(nn.Module):
    """A module applied to the encoder's vector.

    Example:
        >>> import torch
        >>> Head(nn.Linear(8, 2))(Features(torch.zeros(3, 8), None, None)).shape
        torch.Size([3, 2])
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, features: Features) -> Float[Tensor, "images latent"]:
        """Return one vector for each image."""
        vectors: Tensor = self.body(features.global_)
        return vectors


def identity_projector(sizes: Sizes) -> nn.Module:
    """Return a projector that leaves the encoder's vector unchanged."""
    return Head(nn.Identity())


def mlp(*hidden: int, dim: int, norm: bool = True) -> Callable[[Sizes], nn.Module]:
    """Return a factory of a perceptron with these hidden widths and `dim` outputs."""
    return lambda sizes: Head(MLP((sizes.dim, *hidden, dim), norm=norm))
