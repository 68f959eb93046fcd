"""SimCLR: two augmented views of a frame find each other among all others of the batch."""

from functools import partial

from rlpriors.representation.losses.similarity import nt_xent
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import Recipe, Term
from rlpriors.representation.transforms.views import View

__all__ = ["simclr"]


def simclr(
    *, augment: str = "shift+color-jitter+gaussian-blur", temperature: float = 0.1, dim: int = 128
) -> Recipe:
    """Chen et al. 2020 (2002.05709): NT-Xent over projections of two views."""
    return Recipe(
        name="simclr",
        source="arXiv 2002.05709",
        views=(View("context", augment=augment), View("target", augment=augment, branch="online")),
        projector=mlp(512, dim=dim),
        losses={"nt_xent": Term(partial(nt_xent, temperature=temperature), ("z.context", "z.target"))},
        batch_size=128,
    )
