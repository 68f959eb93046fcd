"""VICReg: invariance with variance and covariance terms (Bardes et al., 2021, arXiv 2105.04906)."""

from torch.nn import functional as F

from rlpriors.representation.losses.redundancy import covariance_loss, variance_loss
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import LossTerm, Recipe
from rlpriors.representation.transforms.views import View

__all__ = ["vicreg"]


def vicreg(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    invariance: float = 25.0,
    variance: float = 25.0,
    dim: int = 512,
) -> Recipe:
    """Return the recipe of VICReg (eq. 6), with its terms weighted as in the authors' code.

    In that code the distance is a mean over entries instead of a sum, the variance term a mean over both
    views, and the covariance term a sum over both.
    """
    both = ("z.context", "z.target")
    return Recipe(
        name="vicreg",
        source="arXiv 2105.04906",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="online"),
        ),
        projector=mlp(512, 512, dim=dim),
        losses={
            "invariance": LossTerm(F.mse_loss, both, invariance),
            "variance": LossTerm(variance_loss, both, variance),
            "covariance": LossTerm(covariance_loss, both, 2.0),
        },
        batch_size=128,
    )
