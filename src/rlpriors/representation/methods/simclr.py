"""SimCLR: contrastive learning of two augmented views of a frame (Chen et al., 2020, arXiv 2002.05709)."""

from functools import partial

from rlpriors.representation.losses.similarity import nt_xent
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.transforms.views import View

__all__ = ["simclr"]


def simclr(
    *, augment: str = "shift+color-jitter+gaussian-blur", temperature: float = 0.1, dim: int = 128
) -> Recipe:
    """Return the recipe of SimCLR: NT-Xent over projections of two views."""
    return Recipe(
        name="simclr",
        source="arXiv 2002.05709",
        views=(View("context", augment=augment), View("target", augment=augment, branch="online")),
        projector=mlp(512, dim=dim),
        losses={"nt_xent": LossTerm(partial(nt_xent, temperature=temperature), ("z.context", "z.target"))},
        batch_size=128,
    )
