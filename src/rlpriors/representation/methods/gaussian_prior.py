"""The control: features look like a normal distribution, whatever is in a frame."""

from rlpriors.representation.losses.redundancy import gaussian_batch
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.transforms.views import View

__all__ = ["gaussian_prior"]


def gaussian_prior(*, augment: str = "none") -> Recipe:
    """What a prior alone does for an encoder, after EIRLI's control (2205.07886).

    EIRLI's pulls each frame's code to 0, and thus all to one point; this one asks the prior of the batch,
    number by number, so that a gain of other methods is not just one over a collapse.
    """
    return Recipe(
        name="gaussian-prior",
        source="arXiv 2205.07886",
        views=(View("context", augment=augment, branch="online"),),
        projector=take_global,
        losses={"prior": Term(gaussian_batch, ("z.context",))},
    )
