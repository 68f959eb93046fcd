"""Jigsaw: classification of tile permutations (Noroozi and Favaro, 2016, arXiv 1603.09246)."""

from collections.abc import Mapping
from functools import partial

from torch import Tensor, nn
from torch.nn import functional as F

from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.jigsaw import Jigsaw
from rlpriors.representation.transforms.views import View

__all__ = ["jigsaw"]


class PermutationHead(nn.Module):
    """A perceptron from the projections of all tiles to a score of each permutation: "scores"."""

    def __init__(self, sizes: Sizes, n_tiles: int, n_permutations: int, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((n_tiles * sizes.latent, hidden, n_permutations), norm=True)

    def forward(self, encoded: EncodedBatch) -> Mapping[str, Tensor]:
        """Return scores [batch, n_permutations]."""
        return {"scores": self.body(encoded.z["context"].flatten(1))}


def jigsaw(
    *,
    grid_size: int = 3,
    n_permutations: int = 100,
    tile_fraction: float = 0.85,
    seed: int = 0,
    dim: int = 64,
    augment: str = "none",
) -> Recipe:
    """Return the recipe of jigsaw puzzles: `grid_size` x `grid_size` tiles in one of `n_permutations` orders.

    The encoder encodes each tile as one image.
    """
    tiles = Jigsaw(grid_size, n_permutations, tile_fraction, seed)
    return Recipe(
        name="jigsaw",
        source="arXiv 1603.09246",
        views=(View("context", augment=augment, branch="online", tiles=tiles),),
        projector=mlp(256, dim=dim),  # batch-normalized: tiles of one environment look similar
        predictor=partial(PermutationHead, n_tiles=grid_size**2, n_permutations=n_permutations),
        losses={"order": LossTerm(F.cross_entropy, ("scores", "context.permutation"))},
        batch_size=32,
    )
