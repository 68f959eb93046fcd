"""SPR: multi-step latent dynamics on maps (Schwarzer et al., 2020, arXiv 2007.05929)."""

from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine_loss
from rlpriors.representation.modules.predictors import action_chunk_dim
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["TransitionModel", "scale_to_unit", "spr"]


def scale_to_unit(maps: Float[Tensor, "images *map"]) -> Float[Tensor, "images *map"]:
    """Scale each image's map to [0, 1], so that repeated model steps stay in range."""
    flat = maps.flatten(1)
    low, high = flat.amin(1, keepdim=True), flat.amax(1, keepdim=True)
    return ((flat - low) / (high - low + 1e-5)).view_as(maps)


class MapProjector(nn.Module):
    """A linear layer over a map scaled to [0, 1], and batch normalization."""

    def __init__(self, sizes: Sizes, dim: int) -> None:
        super().__init__()
        assert sizes.maps is not None
        channels, rows, columns = sizes.maps
        self.body = nn.Sequential(
            nn.Linear(channels * rows * columns, dim), nn.BatchNorm1d(dim, affine=False)
        )

    def forward(self, features: Features) -> Tensor:
        """Return projections [images, dim]."""
        assert features.maps is not None
        projections: Tensor = self.body(scale_to_unit(features.maps).flatten(1))
        return projections


class TransitionModel(nn.Module):
    """The next map from a map and the actions as constant planes: two convolutions.

    Example:
        >>> TransitionModel(channels=8, act=3)(torch.rand(5, 8, 4, 4), torch.zeros(5, 3)).shape
        torch.Size([5, 8, 4, 4])
    """

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
        """Return the next map in [0, 1]."""
        planes = act[:, :, None, None].expand(-1, -1, *maps.shape[2:])
        return scale_to_unit(self.body(torch.cat([maps, planes], 1)))


class SPRPredictor(nn.Module):
    """Predictions of projections, by steps of a transition model from the first frame's map.

    Outputs are "prediction" of the later frames [batch, horizon - 1, latent]; "now", of the first frame's
    target projection; "vector", of the same from the encoder's vector; and the targets "future" and
    "first".
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        assert sizes.maps is not None
        self.transition = TransitionModel(sizes.maps[0], action_chunk_dim(sizes))
        self.predict = nn.Linear(sizes.latent, sizes.latent)
        self.vector = nn.Linear(sizes.dim, sizes.latent)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return predictions and targets."""
        features, act = encoded.features["now"], encoded.batch.act
        assert features.maps is not None
        assert act is not None
        maps = scale_to_unit(features.maps)
        predictions = []
        for step in range(act.shape[1]):
            maps = self.transition(maps, act[:, step])
            predictions.append(self.predict(encoded.project(Features(features.global_, None, maps))))
        target = encoded.y["clip"]
        return {
            "prediction": torch.stack(predictions, 1),
            "now": self.predict(encoded.z["now"]),
            "vector": self.vector(features.global_),
            "future": target[:, 1:],
            "first": target[:, 0],
        }


def spr(
    *,
    n_steps: int = 5,
    stride: int = 1,
    augment: str = "shift+intensity",
    decay: float | None = None,
    vector_weight: float = 1.0,
    dim: int = 256,
) -> Recipe:
    """Return the recipe of SPR (sec. 2) with `n_steps` model steps, without a reinforcement-learning agent.

    `decay` is the target network's.  Its default is the paper's: 0, the network of the last update, with
    augmented views, and 0.99 otherwise.  The paper's dropout of 0.5 for views without augmentation is left
    out.

    The paper's maps are the input of the agent's own layers.  Here the encoder's vector is trained to
    predict the first frame's projection, with weight `vector_weight`.  Projections are batch-normalized:
    without this, and without the agent's loss, they collapse.

    Raises:
        ValueError: `n_steps` is below 1.
    """
    if n_steps < 1:
        raise ValueError(f"`n_steps` must be at least 1. Received {n_steps}.")
    if decay is None:
        decay = 0.99 if augment == "none" else 0.0
    return Recipe(
        name="spr",
        source="arXiv 2007.05929",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("clip", augment=augment, consistent=False, branch="target"),
        ),
        projector=partial(MapProjector, dim=dim),
        predictor=SPRPredictor,
        target=TargetNetworkSettings("ema", decay=decay),
        losses={
            "future": LossTerm(cosine_loss, ("prediction", "future")),
            "now": LossTerm(cosine_loss, ("now", "first")),
            "vector": LossTerm(cosine_loss, ("vector", "first"), vector_weight),
        },
        horizon=n_steps + 1,
        stride=stride,
        needs=("act", "maps"),
    )
