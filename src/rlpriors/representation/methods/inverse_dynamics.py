"""Inverse dynamics: which actions led from one frame to the next."""

import torch
from torch import Tensor, nn

from rlpriors.representation.modules.predictors import ActionHead, Change
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["inverse_dynamics"]


class InverseDynamics(nn.Module):
    """How unlikely the actions between two frames are, given both: "surprise"."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.change = Change(sizes.latent)
        self.head = ActionHead(self.change.width, sizes)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """Negative log-likelihoods [batch]."""
        change = self.change(encoded.z["now"], encoded.z["later"])
        return {"surprise": self.head(change, encoded.batch)}


def inverse_dynamics(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Pathak et al. 2017 (1705.05363, eq. 2), on the encoder's vectors.

    EIRLI's of this name kept its head in a dictionary, where nothing trained it; all `offset` actions are
    predicted here.
    """
    return Recipe(
        name="inverse-dynamics",
        source="arXiv 1705.05363",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=take_global,
        predictor=InverseDynamics,
        losses={"surprise": Term(torch.mean, ("surprise",))},
        horizon=2,
        stride=offset,
        needs=("act",),
    )
