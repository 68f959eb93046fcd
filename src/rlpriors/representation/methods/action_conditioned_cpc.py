"""Action-conditioned CPC: contrastive prediction from actions (Guo et al., 2018, arXiv 1811.06407)."""

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.predictors import action_chunk_dim
from rlpriors.representation.modules.projectors import MLP, identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["action_conditioned_cpc"]


class ActionConditionedPredictor(nn.Module):
    """W z + MLP(z, actions) of the earlier frame: "p.now"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.weight = nn.Linear(sizes.latent, sizes.latent, bias=False)
        self.body = MLP((sizes.latent + action_chunk_dim(sizes), hidden, sizes.latent))

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return the query for the later frame's vector."""
        assert encoded.batch.act is not None
        z, act = encoded.z["now"], encoded.batch.act[:, 0]
        return {"p.now": self.weight(z) + self.body(torch.cat([z, act], 1))}


def action_conditioned_cpc(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Return the recipe of CPC (van den Oord et al. 2018, 1807.03748) with actions in the prediction."""
    return Recipe(
        name="action-conditioned-cpc",
        source="arXiv 1811.06407",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=identity_projector,
        predictor=ActionConditionedPredictor,
        losses={"info_nce": LossTerm(info_nce, ("p.now", "z.later"))},
        horizon=2,
        stride=offset,
        needs=("act",),
        batch_size=128,
    )
