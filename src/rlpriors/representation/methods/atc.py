"""ATC: augmented temporal contrast with a moving-average target (Stooke et al., 2020, arXiv 2009.08319)."""

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View

__all__ = ["atc"]


class ATCPredictor(nn.Module):
    """W (z + MLP(z)) of the earlier frame: "p.now"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.latent, hidden, sizes.latent))
        self.weight = nn.Linear(sizes.latent, sizes.latent, bias=False)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return the query for the later frame's projection."""
        z = encoded.z["now"]
        return {"p.now": self.weight(z + self.body(z))}


def atc(*, offset: int = 3, augment: str = "shift", decay: float = 0.99, dim: int = 128) -> Recipe:
    """Return the recipe of ATC (sec. 3).

    The paper shifts one frame in ten on Atari and all frames in other environments; here all are shifted.
    """
    return Recipe(
        name="atc",
        source="arXiv 2009.08319",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="target"),
        ),
        projector=mlp(dim=dim),
        predictor=ATCPredictor,
        target=TargetNetworkSettings("ema", decay=decay),
        losses={"info_nce": LossTerm(info_nce, ("p.now", "y.later"))},
        horizon=2,
        stride=offset,
        batch_size=128,
        lr=1e-3,
    )
