"""SwAV: views are sorted by prototypes, and each must say where the other went."""

from functools import partial

from torch import Tensor, nn

from rlpriors.representation.losses.prototypes import cosines, first_directions, swapped
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["swav"]


class Prototypes(nn.Module):
    """Cosines of every view's projection with `count` learned directions: "scores.<view>".

    Raises:
        ValueError: `count` is below 2.
    """

    def __init__(self, sizes: Sizes, count: int = 64) -> None:
        super().__init__()
        self.directions = first_directions(count, sizes.latent)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """[batch, count], in [-1, 1]."""
        return {f"scores.{name}": cosines(z, self.directions) for name, z in encoded.z.items()}


def swav(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    prototypes: int = 64,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    dim: int = 128,
) -> Recipe:
    """Caron et al. 2020 (2006.09882) with two views; take about half as many prototypes as windows.

    Nothing is centered, and no moving average teaches: that is `dino`.
    """
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
