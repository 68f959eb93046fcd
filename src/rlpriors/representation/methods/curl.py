"""CURL: two shifted views of a frame find each other by a bilinear score."""

from torch import nn

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.predictors import bilinear
from rlpriors.representation.modules.projectors import Head
from rlpriors.representation.recipe import Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["curl"]


def curl(*, augment: str = "shift", decay: float = 0.95, dim: int = 50) -> Recipe:
    """Laskin et al. 2020 (2004.04136, sec. 4): z W k, k by a moving average.

    Its random crop of a larger rendering is a shift of the frame here.
    """

    def projector(sizes: Sizes) -> nn.Module:
        return Head(nn.Sequential(nn.Linear(sizes.dim, dim), nn.LayerNorm(dim)))

    return Recipe(
        name="curl",
        source="arXiv 2004.04136",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="target"),
        ),
        projector=projector,
        predictor=bilinear("context"),
        branch=Branch("ema", decay=decay),
        losses={"dot_nce": Term(dot_nce, ("p.context", "y.target"))},
        batch_size=128,
    )
