"""BYOL: predict what a slowly moving copy makes of another view."""

from collections.abc import Mapping

from torch import Tensor, nn

from rlpriors.representation.losses.similarity import cosine
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["byol"]


class PredictLatents(nn.Module):
    """A perceptron behind the projection of every view: "p.<view>"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.latent, hidden, sizes.latent), norm=True)

    def forward(self, encoded: Encoded) -> Mapping[str, Tensor]:
        """What the target branch is expected to say."""
        return {f"p.{name}": self.body(z) for name, z in encoded.z.items()}


def byol(*, augment: str = "shift+color-jitter+gaussian-blur", decay: float = 0.99, dim: int = 128) -> Recipe:
    """Grill et al. 2020 (2006.07733), symmetrised; the target has the projector too."""
    return Recipe(
        name="byol",
        source="arXiv 2006.07733",
        views=(View("context", augment=augment), View("target", augment=augment)),
        projector=mlp(512, dim=dim),
        predictor=PredictLatents,
        branch=Branch("ema", decay=decay, final_decay=1.0),
        losses={
            "forward": Term(cosine, ("p.context", "y.target"), 0.5),
            "backward": Term(cosine, ("p.target", "y.context"), 0.5),
        },
        batch_size=128,
    )
