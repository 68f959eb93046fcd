"""DynaMo: what happened between frames in a few numbers, and the next frame from these; no actions."""

from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.redundancy import covariance
from rlpriors.representation.losses.similarity import cosine
from rlpriors.representation.modules.projectors import Head
from rlpriors.representation.modules.transformers import Transformer
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["dynamo"]


class LatentDynamics(nn.Module):
    """Latent actions of `narrow` numbers from the whole window, and from them and the frames so far each
    next frame: "ahead" [batch, horizon - 1, latent], beside what it should be, "later".

    Narrow actions cannot carry the next frame over as it is.
    """

    def __init__(self, sizes: Sizes, narrow: int = 8, width: int = 120, depth: int = 2) -> None:
        super().__init__()
        self.inverse = Transformer(sizes.latent, width, depth, sizes.horizon)
        self.action = nn.Linear(2 * width, narrow)
        self.ahead = Transformer(sizes.latent + narrow, width, depth, sizes.horizon - 1, causal=True)
        self.out = nn.Linear(width, sizes.latent)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """Predictions and targets."""
        z = encoded.z["window"]
        seen = self.inverse(z)
        actions = self.action(torch.cat([seen[:, :-1], seen[:, 1:]], 2))
        ahead = self.out(self.ahead(torch.cat([z[:, :-1], actions], 2)))
        return {"ahead": ahead, "later": encoded.y["window"][:, 1:]}


def dynamo(
    *,
    horizon: int = 5,
    stride: int = 1,
    narrow: int = 8,
    depth: int = 2,
    weight: float = 0.04,
    augment: str = "none",
) -> Recipe:
    """Cui et al. 2024 (2409.12192, sec. 3) on the encoder's vectors, with a stopped gradient.

    Vectors are batch-normalized first: the paper's ResNet does that itself, and without it all frames
    become one.  The paper's transformers are 6 deep; `weight` is the one of covariances.

    Raises:
        ValueError: there is no next frame.
    """
    if horizon < 2:
        raise ValueError(f"`horizon` must be at least 2. Received {horizon}.")

    def projector(sizes: Sizes) -> nn.Module:
        return Head(nn.BatchNorm1d(sizes.dim, affine=False))

    return Recipe(
        name="dynamo",
        source="arXiv 2409.12192",
        views=(View("window", augment=augment),),
        projector=projector,
        predictor=partial(LatentDynamics, narrow=narrow, depth=depth),
        branch=Branch("stopgrad"),
        losses={
            "forward": Term(cosine, ("ahead", "later"), 0.5),
            "covariance": Term(partial(covariance, mean=True), ("z.window",), weight),
        },
        horizon=horizon,
        stride=stride,
    )
