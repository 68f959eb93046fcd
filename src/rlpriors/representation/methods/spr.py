"""SPR: a model on maps predicts what the target network will see, some steps ahead."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine
from rlpriors.representation.modules.predictors import action_width
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["spr"]


def _to_unit(maps: Float[Tensor, "images *map"]) -> Float[Tensor, "images *map"]:
    """Each image's numbers to [0, 1], so that steps of the model stay in range."""
    flat = maps.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return ((flat - low) / (high - low + 1e-5)).view_as(maps)


class FlattenMaps(nn.Module):
    """A linear layer over a map brought to [0, 1], and batch normalization."""

    def __init__(self, sizes: Sizes, dim: int) -> None:
        super().__init__()
        assert sizes.maps is not None
        channels, rows, columns = sizes.maps
        self.body = nn.Sequential(
            nn.Linear(channels * rows * columns, dim), nn.BatchNorm1d(dim, affine=False)
        )

    def forward(self, features: Features) -> Tensor:
        """[images, dim]."""
        assert features.maps is not None
        found: Tensor = self.body(_to_unit(features.maps).flatten(1))
        return found


class Transition(nn.Module):
    """The next map, from one and the actions as planes beside it: two convolutions."""

    def __init__(self, channels: int, act: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels + act, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(),
        )

    def forward(
        self, maps: Float[Tensor, "batch channels rows columns"], act: Float[Tensor, "batch act"]
    ) -> Float[Tensor, "batch channels rows columns"]:
        """In [0, 1]."""
        planes = act[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return _to_unit(self.body(torch.cat([maps, planes], 1)))


class Rollout(nn.Module):
    """Predictions of the projections of the frames to come, "ahead" [batch, horizon - 1, latent], of the
    first as the other branch sees it, "now", and of the same by the encoder's vector, "vector"; beside
    what they should be, "later" and "first".
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        assert sizes.maps is not None
        self.transition = Transition(sizes.maps[0], action_width(sizes))
        self.predict = nn.Linear(sizes.latent, sizes.latent)
        self.vector = nn.Linear(sizes.dim, sizes.latent)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """Predictions and targets."""
        features, act = encoded.features["now"], encoded.batch.act
        assert features.maps is not None
        assert act is not None
        maps = _to_unit(features.maps)
        ahead = []
        for step in range(act.shape[1]):
            maps = self.transition(maps, act[:, step])
            ahead.append(self.predict(encoded.project(Features(features.global_, None, maps))))
        target = encoded.y["window"]
        return {
            "ahead": torch.stack(ahead, 1),
            "now": self.predict(encoded.z["now"]),
            "vector": self.vector(features.global_),
            "later": target[:, 1:],
            "first": target[:, 0],
        }


def spr(
    *,
    steps: int = 5,
    stride: int = 1,
    augment: str = "shift+intensity",
    decay: float | None = None,
    weight: float = 1.0,
    dim: int = 256,
) -> Recipe:
    """Schwarzer et al. 2020 (2007.05929, sec. 2): `steps` of a convolutional model, without the agent.

    `decay` is the target's, by default the paper's: 0, the network of the last update, where views are
    augmented, and else 0.99; its dropout of 0.5, for frames that are not augmented, is left out.

    The paper's maps go on into the agent's own layers; here the encoder's vector learns from the first
    frame's projection, at `weight`.  Nor is there an agent whose loss keeps frames apart: projections are
    batch-normalized instead, without which all become nearly one.

    Raises:
        ValueError: `steps` is below 1.
    """
    if steps < 1:
        raise ValueError(f"`steps` must be at least 1. Received {steps}.")
    if decay is None:
        decay = 0.99 if augment == "none" else 0.0
    return Recipe(
        name="spr",
        source="arXiv 2007.05929",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("window", augment=augment, consistent=False, branch="target"),
        ),
        projector=partial(FlattenMaps, dim=dim),
        predictor=Rollout,
        branch=Branch("ema", decay=decay),
        losses={
            "ahead": Term(cosine, ("ahead", "later")),
            "now": Term(cosine, ("now", "first")),
            "vector": Term(cosine, ("vector", "first"), weight),
        },
        horizon=steps + 1,
        stride=stride,
        needs=("act", "maps"),
    )
