"""Action-conditioned CPC: a frame and what was done find what came of it."""

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.predictors import action_width
from rlpriors.representation.modules.projectors import MLP, take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["action_conditioned_cpc"]


class AfterActions(nn.Module):
    """W z + MLP(z, actions) of the earlier frame: "p.now"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.weight = nn.Linear(sizes.latent, sizes.latent, bias=False)
        self.body = MLP((sizes.latent + action_width(sizes), hidden, sizes.latent))

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """What the later frame is compared with."""
        assert encoded.batch.act is not None
        z, act = encoded.z["now"], encoded.batch.act[:, 0]
        return {"p.now": self.weight(z) + self.body(torch.cat([z, act], 1))}


def action_conditioned_cpc(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Van den Oord et al. 2018 (1807.03748) with the actions in the prediction (1811.06407)."""
    return Recipe(
        name="action-conditioned-cpc",
        source="arXiv 1811.06407",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=take_global,
        predictor=AfterActions,
        losses={"dot_nce": Term(dot_nce, ("p.now", "z.later"))},
        horizon=2,
        stride=offset,
        needs=("act",),
        batch_size=128,
    )
