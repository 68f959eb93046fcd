"""VICReg: two views say the same, in numbers that vary and do not repeat each other."""

from torch.nn import functional as F

from rlpriors.representation.losses.redundancy import covariance, hinge_variance
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.transforms.views import View

__all__ = ["vicreg"]


def vicreg(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    invariance: float = 25.0,
    variance: float = 25.0,
    dim: int = 512,
) -> Recipe:
    """Bardes et al. 2021 (2105.04906, eq. 6), its terms weighed as the authors' code does it.

    There the distance is a mean over numbers and not their sum, the variance a mean over both views, and
    the covariance the sum of both.
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
            "invariance": Term(F.mse_loss, both, invariance),
            "variance": Term(hinge_variance, both, variance),
            "covariance": Term(covariance, both, 2.0),
        },
        batch_size=128,
    )
