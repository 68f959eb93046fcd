"""Latent dynamics: where actions lead, in the space of a projection."""

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine
from rlpriors.representation.modules.predictors import action_width
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["dynamics_latent"]


class Dynamics(nn.Module):
    """The later frame's projection, from the earlier one's and the actions: "p.later"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.latent + action_width(sizes), hidden, sizes.latent), norm=True)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """[batch, latent]."""
        assert encoded.batch.act is not None
        return {"p.later": self.body(torch.cat([encoded.z["now"], encoded.batch.act[:, 0]], 1))}


def dynamics_latent(*, offset: int = 1, augment: str = "none", dim: int = 128) -> Recipe:
    """A latent model that learns without collapse by a stopped gradient and a predictor (2011.10566), with
    the actions in the predictor.
    """
    return Recipe(
        name="dynamics-latent",
        source="arXiv 2011.10566",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="target"),
        ),
        projector=mlp(512, dim=dim),
        predictor=Dynamics,
        branch=Branch("stopgrad"),
        losses={"cosine": Term(cosine, ("p.later", "y.later"))},
        horizon=2,
        stride=offset,
        needs=("act",),
        batch_size=128,
    )
