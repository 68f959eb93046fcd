"""Jigsaw: tell in which order the tiles of an image were laid."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.jigsaw import Jigsaw
from rlpriors.representation.transforms.views import View

__all__ = ["jigsaw"]


class TellOrder(nn.Module):
    """A perceptron over the projections of all tiles, to a score of each order: "scores"."""

    def __init__(self, sizes: Sizes, tiles: int, count: int, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((tiles * sizes.latent, hidden, count), norm=True)

    def forward(self, encoded: Encoded) -> Mapping[str, Tensor]:
        """[batch, orders]."""
        return {"scores": self.body(encoded.z["context"].flatten(1))}


def jigsaw(
    *,
    side: int = 3,
    count: int = 100,
    part: float = 0.85,
    seed: int = 0,
    dim: int = 64,
    augment: str = "none",
) -> Recipe:
    """Noroozi and Favaro 2016 (1603.09246): `side` x `side` tiles in one of `count` orders.

    Every tile passes the encoder by itself, as an image.
    """
    tiles = Jigsaw(side, count, part, seed)
    return Recipe(
        name="jigsaw",
        source="arXiv 1603.09246",
        views=(View("context", augment=augment, branch="online", arrange=tiles),),
        projector=mlp(256, dim=dim),  # normalized: tiles of one world look much alike
        predictor=partial(TellOrder, tiles=side**2, count=count),
        losses={"order": Term(F.cross_entropy, ("scores", "context.permutation"))},
        batch_size=32,
    )
