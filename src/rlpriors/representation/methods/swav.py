"""SwAV: views are sorted by prototypes, and each must say where the other went."""

from functools import partial

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.representation.projectors import mlp
from rlpriors.representation.prototypes import swapped
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.views import View

__all__ = ["swav"]


class Prototypes(nn.Module):
    """Cosines of every view's projection with `count` learned directions: "scores.<view>".

    Raises:
        ValueError: `count` is below 2.
    """

    def __init__(self, sizes: Sizes, count: int = 64) -> None:
        super().__init__()
        if count < 2:
            raise ValueError(f"`count` of prototypes must be at least 2. Received {count}.")
        self.directions = nn.Parameter(F.normalize(torch.randn(count, sizes.latent), dim=1))

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """[batch, count], in [-1, 1]."""
        directions = F.normalize(self.directions, dim=1)
        return {f"scores.{name}": F.normalize(z, dim=1) @ directions.T for name, z in encoded.z.items()}


def swav(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    prototypes: int = 64,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    dim: int = 128,
) -> Recipe:
    """Caron et al. 2020 (2006.09882) with two views; take about half as many prototypes as windows."""
    return Recipe(
        name="swav",
        source="arXiv 2006.09882",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="online"),
        ),
        projector=mlp(512, dim=dim),
        predictor=partial(Prototypes, count=prototypes),
        losses={
            "swapped": Term(
                partial(swapped, temperature=temperature, epsilon=epsilon),
                ("scores.context", "scores.target"),
            )
        },
        batch_size=128,
    )
