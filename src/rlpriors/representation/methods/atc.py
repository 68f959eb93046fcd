"""ATC: a frame finds the one that a moving average saw a few steps later."""

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.projectors import MLP, mlp
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.target_networks import Branch
from rlpriors.representation.transforms.views import View

__all__ = ["atc"]


class Anchor(nn.Module):
    """W (z + MLP(z)) of the earlier frame: "p.now"."""

    def __init__(self, sizes: Sizes, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.latent, hidden, sizes.latent))
        self.weight = nn.Linear(sizes.latent, sizes.latent, bias=False)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """What the later frame's code is compared with."""
        z = encoded.z["now"]
        return {"p.now": self.weight(z + self.body(z))}


def atc(*, offset: int = 3, augment: str = "shift", decay: float = 0.99, dim: int = 128) -> Recipe:
    """Stooke et al. 2020 (2009.08319, sec. 3): augmented temporal contrast.

    The paper shifts one frame in ten on Atari and all in other worlds, as here.
    """
    return Recipe(
        name="atc",
        source="arXiv 2009.08319",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="target"),
        ),
        projector=mlp(dim=dim),
        predictor=Anchor,
        branch=Branch("ema", decay=decay),
        losses={"dot_nce": Term(dot_nce, ("p.now", "y.later"))},
        horizon=2,
        stride=offset,
        batch_size=128,
        lr=1e-3,
    )
