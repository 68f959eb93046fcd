"""BYOL: prediction of a moving-average network's projections (Grill et al., 2020, arXiv 2006.07733)."""

from collections.abc import Mapping

from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine_loss
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["byol"]


class LatentPredictor(nn.Module):
    """A perceptron behind the projection of every view: "p.<view>"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.latent, hidden, sizes.latent), norm=True)

    def forward(self, encoded: EncodedBatch) -> Mapping[str, Tensor]:
        """Return predictions of the target network's projections."""
        return {f"p.{name}": self.body(z) for name, z in encoded.z.items()}


def byol(*, augment: str = "shift+color-jitter+gaussian-blur", decay: float = 0.99, dim: int = 128) -> Recipe:
    """Return the recipe of BYOL, symmetrized over two views; the target network has a projector too."""
    return Recipe(
        name="byol",
        source="arXiv 2006.07733",
        views=(View("context", augment=augment), View("target", augment=augment)),
        projector=mlp(512, dim=dim),
        predictor=LatentPredictor,
        target=TargetNetworkSettings("ema", decay=decay, final_decay=1.0),
        losses={
            "forward": LossTerm(cosine_loss, ("p.context", "y.target"), 0.5),
            "backward": LossTerm(cosine_loss, ("p.target", "y.context"), 0.5),
        },
        batch_size=128,
    )
