"""DINO: a view must be sorted by prototypes as a slowly moving teacher sorts another."""

from functools import partial

from torch import Tensor, nn

from rlpriors.representation.losses.prototypes import cosines, distilled, first_directions
from rlpriors.representation.modules.memory_banks import center
from rlpriors.representation.modules.projectors import MLP
from rlpriors.representation.recipe import Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["dino"]


class Scores(nn.Module):
    """A perceptron, and the cosines of what it gives with `count` learned directions: [images, count]."""

    def __init__(self, sizes: Sizes, count: int, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.dim, hidden, dim), norm=True)
        self.directions = first_directions(count, dim)

    def forward(self, features: Features) -> Tensor:
        """In [-1, 1]."""
        return cosines(self.body(features.global_), self.directions)


def dino(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    prototypes: int = 256,
    temperature: float = 0.1,
    teacher_temperature: float = 0.04,
    center_decay: float = 0.9,
    decay: float = 0.996,
    dim: int = 128,
) -> Recipe:
    """Caron et al. 2021 (2104.14294), symmetrised over two views; without its small crops, a warm-up of the
    teacher's temperature, or a first epoch in which prototypes rest.
    """
    loss = partial(distilled, temperature=temperature, teacher_temperature=teacher_temperature)
    return Recipe(
        name="dino",
        source="arXiv 2104.14294",
        views=(View("context", augment=augment), View("target", augment=augment)),
        projector=partial(Scores, count=prototypes, dim=dim),
        memory=center("y.context", "y.target", decay=center_decay),
        branch=Branch("ema", decay=decay, final_decay=1.0),
        losses={
            "forward": Term(loss, ("z.context", "y.target", "center"), 0.5),
            "backward": Term(loss, ("z.target", "y.context", "center"), 0.5),
        },
        batch_size=128,
    )
