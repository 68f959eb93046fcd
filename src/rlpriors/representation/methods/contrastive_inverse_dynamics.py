"""Contrastive inverse dynamics: what changed between two frames finds the actions that did it."""

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.predictors import Change, action_width
from rlpriors.representation.modules.projectors import MLP, take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["contrastive_inverse_dynamics"]


class MatchActions(nn.Module):
    """Codes of a pair of frames, "p.pair", and of the actions between them, "p.act"; "same" tells rows
    with the same actions.
    """

    def __init__(self, sizes: Sizes, hidden: int = 256, dim: int = 64) -> None:
        super().__init__()
        self.change = Change(sizes.latent)
        self.pair = MLP((self.change.width, hidden, dim))
        self.act = MLP((action_width(sizes), hidden, dim))

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """Codes [batch, dim], and [batch, batch]."""
        assert encoded.batch.act is not None
        act = encoded.batch.act[:, 0]
        same = (act[:, None] == act[None]).all(2)
        pair = self.pair(self.change(encoded.z["now"], encoded.z["later"]))
        return {"p.pair": pair, "p.act": self.act(act), "same": same}


def contrastive_inverse_dynamics(*, offset: int = 1, augment: str = "none") -> Recipe:
    """EIRLI's (2205.07886): inverse dynamics by InfoNCE over the batch's actions.

    Actions that are the same are no negatives of each other: with few choices most of a batch would be.
    """
    return Recipe(
        name="contrastive-inverse-dynamics",
        source="arXiv 2205.07886",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=take_global,
        predictor=MatchActions,
        losses={"dot_nce": Term(dot_nce, ("p.pair", "p.act", "same"))},
        horizon=2,
        stride=offset,
        needs=("act",),
    )
