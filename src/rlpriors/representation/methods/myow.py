"""MYOW: BYOL with a cascaded prediction of mined neighbors (Azabou et al., 2021, arXiv 2102.10106)."""

from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine_loss
from rlpriors.representation.modules.memory_banks import NeighborBank
from rlpriors.representation.modules.projectors import MLP
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Memory, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["myow"]


class CascadedProjector(nn.Module):
    """A projection and a projection of it, concatenated: [images, 2 dim]."""

    def __init__(self, sizes: Sizes, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.first = MLP((sizes.dim, hidden, dim), norm=True)
        self.second = MLP((dim, hidden, dim), norm=True)

    def forward(self, features: Features) -> Tensor:
        """Return both projections."""
        first = self.first(features.global_)
        return torch.cat([first, self.second(first)], 1)


class CascadedPredictor(nn.Module):
    """A perceptron behind each projection.

    Outputs are "p.<view>", predictions of the other view; "m.context", the prediction of a mined neighbor;
    their targets "t.<view>"; and the keys and values of the neighbor search.
    """

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        dim = sizes.latent // 2
        self.augmented = MLP((dim, hidden, dim), norm=True)
        self.mined = MLP((dim, hidden, dim), norm=True)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return tensors [batch, dim]; keys are the encoder's vectors."""
        outputs = {f"p.{name}": self.augmented(z.chunk(2, 1)[0]) for name, z in encoded.z.items()}
        outputs |= {f"t.{name}": y.chunk(2, 1)[0] for name, y in encoded.y.items()}
        return outputs | {
            "m.context": self.mined(encoded.z["context"].chunk(2, 1)[1]),
            "key.query": encoded.features["context"].global_,
            "key.pool": encoded.target_features["target"].global_,
            "value.pool": encoded.y["target"].chunk(2, 1)[1],
        }


def myow(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    pool_size: int = 512,
    n_neighbors: int = 3,
    mined_weight: float = 0.1,
    decay: float = 0.99,
    dim: int = 128,
) -> Recipe:
    """Return the recipe of MYOW, with neighbors mined from `pool_size` vectors of the moving average.

    Augmented views are compared in the space of the first prediction, mined views in that of the second;
    `mined_weight` is the weight of the latter.
    """

    def memory(sizes: Sizes) -> Memory:
        return NeighborBank(pool_size, sizes.dim, sizes.latent // 2, n_neighbors)

    return Recipe(
        name="myow",
        source="arXiv 2102.10106",
        views=(View("context", augment=augment), View("target", augment=augment)),
        projector=partial(CascadedProjector, dim=dim),
        predictor=CascadedPredictor,
        memory=memory,
        target=TargetNetworkSettings("ema", decay=decay, final_decay=1.0),
        losses={
            "forward": LossTerm(cosine_loss, ("p.context", "t.target"), 0.5),
            "backward": LossTerm(cosine_loss, ("p.target", "t.context"), 0.5),
            "mined": LossTerm(cosine_loss, ("m.context", "mined"), mined_weight),
        },
        batch_size=128,
        min_batch_size=n_neighbors + 1,
    )
