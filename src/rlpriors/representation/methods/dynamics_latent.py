"""Latent dynamics: action-conditioned prediction by SimSiam (Chen and He, 2020, arXiv 2011.10566)."""

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine_loss
from rlpriors.representation.modules.predictors import action_chunk_dim
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["dynamics_latent"]


class DynamicsPredictor(nn.Module):
    """The later frame's projection from the earlier frame's projection and the actions: "p.later"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.latent + action_chunk_dim(sizes), hidden, sizes.latent), norm=True)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return the prediction [batch, latent]."""
        assert encoded.batch.act is not None
        return {"p.later": self.body(torch.cat([encoded.z["now"], encoded.batch.act[:, 0]], 1))}


def dynamics_latent(*, offset: int = 1, augment: str = "none", dim: int = 128) -> Recipe:
    """Return the recipe of a latent dynamics model, with the actions in the predictor of SimSiam.

    The stopped gradient and the predictor prevent collapse.
    """
    return Recipe(
        name="dynamics-latent",
        source="arXiv 2011.10566",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="target"),
        ),
        projector=mlp(512, dim=dim),
        predictor=DynamicsPredictor,
        target=TargetNetworkSettings("stopgrad"),
        losses={"cosine": LossTerm(cosine_loss, ("p.later", "y.later"))},
        horizon=2,
        stride=offset,
        needs=("act",),
        batch_size=128,
    )
