"""Inverse dynamics: prediction of the actions between two frames (Pathak et al., 2017, arXiv 1705.05363)."""

import torch
from torch import Tensor, nn

from rlpriors.representation.modules.predictors import ActionHead, LatentDifference
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["inverse_dynamics"]


class InverseDynamicsHead(nn.Module):
    """Negative log-likelihood of the actions between two frames given both: "action_nll"."""

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.difference = LatentDifference(sizes.latent)
        self.head = ActionHead(self.difference.width, sizes)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return negative log-likelihoods [batch]."""
        difference = self.difference(encoded.z["now"], encoded.z["later"])
        return {"action_nll": self.head(difference, encoded.batch)}


def inverse_dynamics(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Return the recipe of inverse dynamics (eq. 2), on the encoder's vectors.

    All `offset` actions are predicted.  EIRLI's method of this name keeps its head in a dictionary, where
    it is not trained.
    """
    return Recipe(
        name="inverse-dynamics",
        source="arXiv 1705.05363",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=identity_projector,
        predictor=InverseDynamicsHead,
        losses={"action_nll": LossTerm(torch.mean, ("action_nll",))},
        horizon=2,
        stride=offset,
        needs=("act",),
    )
