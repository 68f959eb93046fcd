"""From features to the vectors that losses compare: heads that the target branch has too.

`take_global`  the encoder's vector as it is
`mlp`          a multilayer perceptron behind it
`MLP`, `Head`  what these are made of
"""

from collections.abc import Callable
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.representation.recipe import Sizes
from rlpriors.types import Features

__all__ = ["MLP", "Head", "mlp", "take_global"]


class MLP(nn.Sequential):
    """Linear layers with ReLU between them, and batch normalization before that where asked for.

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
    """A module behind the encoder's vector.

    Example:
        >>> import torch
        >>> Head(nn.Linear(8, 2))(Features(torch.zeros(3, 8), None, None)).shape
        torch.Size([3, 2])
    """

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, features: Features) -> Float[Tensor, "images latent"]:
        """One vector for each image."""
        found: Tensor = self.body(features.global_)
        return found


def take_global(sizes: Sizes) -> nn.Module:
    """The encoder's vector as it is."""
    return Head(nn.Identity())


def mlp(*hidden: int, dim: int, norm: bool = True) -> Callable[[Sizes], nn.Module]:
    """A perceptron behind the vector, of these hidden widths, to `dim` numbers."""
    return lambda sizes: Head(MLP((sizes.dim, *hidden, dim), norm=norm))
