"""DynaMo: inverse and forward dynamics with latent actions (Cui et al., 2024, arXiv 2409.12192)."""

from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.redundancy import covariance_loss
from rlpriors.representation.losses.similarity import cosine_loss
from rlpriors.representation.modules.projectors import Head
from rlpriors.representation.modules.transformers import SequenceTransformer
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["dynamo"]


class LatentActionDynamics(nn.Module):
    """Latent actions from the whole clip, and each next frame from earlier frames and latent actions.

    Outputs are "prediction" [batch, horizon - 1, latent] and its target "future".  A small
    `latent_action_dim` prevents latent actions from copying the next frame.
    """

    def __init__(self, sizes: Sizes, latent_action_dim: int = 8, width: int = 120, depth: int = 2) -> None:
        super().__init__()
        self.inverse = SequenceTransformer(sizes.latent, width, depth, sizes.horizon)
        self.action = nn.Linear(2 * width, latent_action_dim)
        self.forward_dynamics = SequenceTransformer(
            sizes.latent + latent_action_dim, width, depth, sizes.horizon - 1, causal=True
        )
        self.output_layer = nn.Linear(width, sizes.latent)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return predictions and targets."""
        z = encoded.z["clip"]
        h = self.inverse(z)
        actions = self.action(torch.cat([h[:, :-1], h[:, 1:]], 2))
        prediction = self.output_layer(self.forward_dynamics(torch.cat([z[:, :-1], actions], 2)))
        return {"prediction": prediction, "future": encoded.y["clip"][:, 1:]}


def dynamo(
    *,
    horizon: int = 5,
    stride: int = 1,
    latent_action_dim: int = 8,
    depth: int = 2,
    covariance_weight: float = 0.04,
    augment: str = "none",
) -> Recipe:
    """Return the recipe of DynaMo (sec. 3) on the encoder's vectors, with stopped gradients of targets.

    Vectors are batch-normalized first, as in the paper's ResNet; without it all frames collapse to one
    vector.  The paper's transformers have a depth of 6.  `covariance_weight` is the weight of the
    covariance term.

    Raises:
        ValueError: `horizon` is below 2.
    """
    if horizon < 2:
        raise ValueError(f"`horizon` must be at least 2. Received {horizon}.")

    def projector(sizes: Sizes) -> nn.Module:
        return Head(nn.BatchNorm1d(sizes.dim, affine=False))

    return Recipe(
        name="dynamo",
        source="arXiv 2409.12192",
        views=(View("clip", augment=augment),),
        projector=projector,
        predictor=partial(LatentActionDynamics, latent_action_dim=latent_action_dim, depth=depth),
        target=TargetNetworkSettings("stopgrad"),
        losses={
            "forward": LossTerm(cosine_loss, ("prediction", "future"), 0.5),
            "covariance": LossTerm(partial(covariance_loss, mean=True), ("z.clip",), covariance_weight),
        },
        horizon=horizon,
        stride=stride,
    )
