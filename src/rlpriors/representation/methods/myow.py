"""MYOW: BYOL, and a second prediction behind it, of frames that were found to be near."""

from functools import partial

import torch
from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine
from rlpriors.representation.modules.memory_banks import Neighbors
from rlpriors.representation.modules.projectors import MLP
from rlpriors.representation.recipe import Encoded, Memory, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["myow"]


class Cascade(nn.Module):
    """A projection, and one of that, end to end: [images, 2 dim]."""

    def __init__(self, sizes: Sizes, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.first = MLP((sizes.dim, hidden, dim), norm=True)
        self.second = MLP((dim, hidden, dim), norm=True)

    def forward(self, features: Features) -> Tensor:
        """Both projections."""
        first = self.first(features.global_)
        return torch.cat([first, self.second(first)], 1)


class PredictBoth(nn.Module):
    """A perceptron behind each projection: "p.<view>" of the other view and "m.context" of a neighbor,
    beside what they are compared with, "t.<view>", and what neighbors are sought by.
    """

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        dim = sizes.latent // 2
        self.own = MLP((dim, hidden, dim), norm=True)
        self.mined = MLP((dim, hidden, dim), norm=True)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """All [batch, dim]; keys are the encoder's vectors."""
        found = {f"p.{name}": self.own(z.chunk(2, 1)[0]) for name, z in encoded.z.items()}
        found |= {f"t.{name}": y.chunk(2, 1)[0] for name, y in encoded.y.items()}
        return found | {
            "m.context": self.mined(encoded.z["context"].chunk(2, 1)[1]),
            "key.query": encoded.features["context"].global_,
            "key.pool": encoded.target_features["target"].global_,
            "value.pool": encoded.y["target"].chunk(2, 1)[1],
        }


def myow(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    pool: int = 512,
    nearest: int = 3,
    weight: float = 0.1,
    decay: float = 0.99,
    dim: int = 128,
) -> Recipe:
    """Azabou et al. 2021 (2102.10106): views are also mined, out of `pool` codes of the moving average.

    Views are in the first prediction's terms; a mined one is `weight` as much worth, in the second's.
    """

    def memory(sizes: Sizes) -> Memory:
        return Neighbors(pool, sizes.dim, sizes.latent // 2, nearest)

    return Recipe(
        name="myow",
        source="arXiv 2102.10106",
        views=(View("context", augment=augment), View("target", augment=augment)),
        projector=partial(Cascade, dim=dim),
        predictor=PredictBoth,
        memory=memory,
        branch=Branch("ema", decay=decay, final_decay=1.0),
        losses={
            "forward": Term(cosine, ("p.context", "t.target"), 0.5),
            "backward": Term(cosine, ("p.target", "t.context"), 0.5),
            "mined": Term(cosine, ("m.context", "mined"), weight),
        },
        batch_size=128,
        min_batch_size=nearest + 1,
    )
