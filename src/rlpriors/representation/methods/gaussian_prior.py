"""Gaussian prior: control with normally distributed features (Chen et al., 2022, arXiv 2205.07886)."""

from rlpriors.representation.losses.redundancy import batch_gaussian_kl
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.transforms.views import View

__all__ = ["gaussian_prior"]


def gaussian_prior(*, augment: str = "none") -> Recipe:
    """Return the recipe of a control that measures the effect of a prior alone, after EIRLI's control.

    EIRLI's control pulls each frame's code to 0, and thus all codes to one point.  This one fits the prior
    to each entry over the batch, so that a gain of another method is not only a gain over collapse.
    """
    return Recipe(
        name="gaussian-prior",
        source="arXiv 2205.07886",
        views=(View("context", augment=augment, branch="online"),),
        projector=identity_projector,
        losses={"prior": LossTerm(batch_gaussian_kl, ("z.context",))},
    )
