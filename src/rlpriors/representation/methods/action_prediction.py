"""Action prediction: what was done at a frame, as in behavior cloning."""

import torch
from torch import Tensor, nn

from rlpriors.representation.modules.predictors import ActionHead
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["action_prediction"]


class PredictAction(nn.Module):
    """How unlikely the action at a frame is, given the frame: "surprise"."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(sizes.latent)
        self.head = ActionHead(sizes.latent, sizes)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """Negative log-likelihoods [batch]."""
        return {"surprise": self.head(self.norm(encoded.z["now"]), encoded.batch)}


def action_prediction(*, augment: str = "none") -> Recipe:
    """EIRLI's (2205.07886): worth something where the data are of someone who knows what to do.

    EIRLI's of this name kept its head in a dictionary, where nothing trained it.
    """
    return Recipe(
        name="action-prediction",
        source="arXiv 2205.07886",
        views=(View("now", frames=(0,), augment=augment, branch="online"),),
        projector=take_global,
        predictor=PredictAction,
        losses={"surprise": Term(torch.mean, ("surprise",))},
        horizon=2,  # the second is not looked at: the action between them is the first one's
        needs=("act",),
    )
