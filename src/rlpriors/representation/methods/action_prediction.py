"""Action prediction: behavior cloning as a representation loss (Chen et al., 2022, arXiv 2205.07886)."""

import torch
from torch import Tensor, nn

from rlpriors.representation.modules.predictors import ActionHead
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["action_prediction"]


class ActionPredictor(nn.Module):
    """Negative log-likelihood of a frame's action given the frame: "action_nll"."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(sizes.latent)
        self.head = ActionHead(sizes.latent, sizes)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return negative log-likelihoods [batch]."""
        return {"action_nll": self.head(self.norm(encoded.z["now"]), encoded.batch)}


def action_prediction(*, augment: str = "none") -> Recipe:
    """Return the recipe of EIRLI's action prediction; it needs data of a competent policy.

    EIRLI's method of this name keeps its head in a dictionary, where it is not trained.
    """
    return Recipe(
        name="action-prediction",
        source="arXiv 2205.07886",
        views=(View("now", frames=(0,), augment=augment, branch="online"),),
        projector=identity_projector,
        predictor=ActionPredictor,
        losses={"action_nll": LossTerm(torch.mean, ("action_nll",))},
        horizon=2,  # only for its action: a clip holds the actions between its frames
        needs=("act",),
    )
