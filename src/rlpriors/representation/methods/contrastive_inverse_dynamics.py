"""Contrastive inverse dynamics: InfoNCE of frames and actions (Chen et al., 2022, arXiv 2205.07886)."""

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.predictors import LatentDifference, action_chunk_dim
from rlpriors.representation.modules.projectors import MLP, identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["contrastive_inverse_dynamics"]


class ActionMatcher(nn.Module):
    """Vectors of a pair of frames, "p.pair", and of the actions between them, "p.act".

    "same" marks pairs of rows with equal actions.
    """

    def __init__(self, sizes: Sizes, hidden: int = 256, dim: int = 64) -> None:
        super().__init__()
        self.difference = LatentDifference(sizes.latent)
        self.pair = MLP((self.difference.width, hidden, dim))
        self.act = MLP((action_chunk_dim(sizes), hidden, dim))

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return vectors [batch, dim], and "same" [batch, batch]."""
        assert encoded.batch.act is not None
        act = encoded.batch.act[:, 0]
        same = (act[:, None] == act[None]).all(2)
        pair = self.pair(self.difference(encoded.z["now"], encoded.z["later"]))
        return {"p.pair": pair, "p.act": self.act(act), "same": same}


def contrastive_inverse_dynamics(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Return the recipe of EIRLI's contrastive inverse dynamics: InfoNCE over the batch's actions.

    Equal actions are excluded from the negatives: with few choices they would be most of a batch.
    """
    return Recipe(
        name="contrastive-inverse-dynamics",
        source="arXiv 2205.07886",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=identity_projector,
        predictor=ActionMatcher,
        losses={"info_nce": LossTerm(info_nce, ("p.pair", "p.act", "same"))},
        horizon=2,
        stride=offset,
        needs=("act",),
    )
