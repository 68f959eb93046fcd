"""Temporal CPC: find what comes some steps later, among what came later elsewhere."""

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.predictors import bilinear
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.transforms.views import View

__all__ = ["temporal_cpc"]


def temporal_cpc(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Van den Oord et al. 2018 (1807.03748) at one offset and without a context: z W z' on the encoder's
    vectors.

    EIRLI's of this name had no W, and further negatives out of the context (its own NT-Xent).
    """
    return Recipe(
        name="temporal-cpc",
        source="arXiv 1807.03748",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=take_global,
        predictor=bilinear("now"),
        losses={"dot_nce": Term(dot_nce, ("p.now", "z.later"))},
        horizon=2,
        stride=offset,
        batch_size=128,
    )
