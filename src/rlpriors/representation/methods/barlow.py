"""Barlow Twins: two views correlate number by number, and with nothing else."""

from functools import partial

from rlpriors.representation.losses.redundancy import cross_correlation
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.transforms.views import View

__all__ = ["barlow"]


def barlow(
    *, augment: str = "shift+color-jitter+gaussian-blur", weight: float = 5e-3, dim: int = 512
) -> Recipe:
    """Zbontar et al. 2021 (2103.03230); `weight` is the one of correlations between different numbers."""
    return Recipe(
        name="barlow",
        source="arXiv 2103.03230",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="online"),
        ),
        projector=mlp(512, 512, dim=dim),
        losses={"correlation": Term(partial(cross_correlation, weight=weight), ("z.context", "z.target"))},
        batch_size=128,
    )
