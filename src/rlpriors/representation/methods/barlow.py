"""Barlow Twins: decorrelation by the cross-correlation matrix (Zbontar et al., 2021, arXiv 2103.03230)."""

from functools import partial

from rlpriors.representation.losses.redundancy import barlow_twins_loss
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.transforms.views import View

__all__ = ["barlow"]


def barlow(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    off_diagonal_weight: float = 5e-3,
    dim: int = 512,
) -> Recipe:
    """Return the recipe of Barlow Twins.

    `off_diagonal_weight` is the weight of correlations between different entries.
    """
    loss = partial(barlow_twins_loss, weight=off_diagonal_weight)
    return Recipe(
        name="barlow",
        source="arXiv 2103.03230",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="online"),
        ),
        projector=mlp(512, 512, dim=dim),
        losses={"correlation": LossTerm(loss, ("z.context", "z.target"))},
        batch_size=128,
    )
