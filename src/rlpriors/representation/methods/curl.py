"""CURL: contrastive learning of two views by a bilinear score (Laskin et al., 2020, arXiv 2004.04136)."""

from torch import nn

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.predictors import bilinear
from rlpriors.representation.modules.projectors import Head
from rlpriors.representation.recipe import LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["curl"]


def curl(*, augment: str = "shift", decay: float = 0.95, dim: int = 50) -> Recipe:
    """Return the recipe of CURL (sec. 4): scores z W k, with keys k of a moving average.

    The paper's random crop of a larger rendering is replaced by a random shift of the frame.
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
        target=TargetNetworkSettings("ema", decay=decay),
        losses={"info_nce": LossTerm(info_nce, ("p.context", "y.target"))},
        batch_size=128,
    )
