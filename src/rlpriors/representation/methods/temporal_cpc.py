"""Temporal CPC: contrastive prediction of a later frame (van den Oord et al., 2018, arXiv 1807.03748)."""

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.predictors import bilinear
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.transforms.views import View

__all__ = ["temporal_cpc"]


def temporal_cpc(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Return the recipe of CPC at one offset and without a context: z W z' on the encoder's vectors.

    EIRLI's method of this name has no W, and further negatives from the context (its own NT-Xent).
    """
    return Recipe(
        name="temporal-cpc",
        source="arXiv 1807.03748",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=identity_projector,
        predictor=bilinear("now"),
        losses={"info_nce": LossTerm(info_nce, ("p.now", "z.later"))},
        horizon=2,
        stride=offset,
        batch_size=128,
    )
