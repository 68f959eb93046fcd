"""DINO: self-distillation from a moving-average teacher (Caron et al., 2021, arXiv 2104.14294)."""

from functools import partial

from torch import Tensor, nn

from rlpriors.representation.losses.prototypes import cosine_similarity, dino_loss, init_prototypes
from rlpriors.representation.modules.memory_banks import moving_center
from rlpriors.representation.modules.projectors import MLP
from rlpriors.representation.recipe import LossTerm, Recipe, Sizes
from rlpriors.representation.target_networks import TargetNetworkSettings
from rlpriors.representation.transforms.views import View
from rlpriors.types import Features

__all__ = ["dino"]


class PrototypeHead(nn.Module):
    """A perceptron, and the cosine similarities of its output with `n_prototypes` learned vectors.

    Outputs are [images, n_prototypes].
    """

    def __init__(self, sizes: Sizes, n_prototypes: int, dim: int, hidden: int = 512) -> None:
        super().__init__()
        self.body = MLP((sizes.dim, hidden, dim), norm=True)
        self.prototypes = init_prototypes(n_prototypes, dim)

    def forward(self, features: Features) -> Tensor:
        """Return scores in [-1, 1]."""
        return cosine_similarity(self.body(features.global_), self.prototypes)


def dino(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    n_prototypes: int = 256,
    temperature: float = 0.1,
    teacher_temperature: float = 0.04,
    center_decay: float = 0.9,
    decay: float = 0.996,
    dim: int = 128,
) -> Recipe:
    """Return the recipe of DINO, symmetrized over two views.

    Small crops, the warm-up of the teacher's temperature and the first epoch with frozen prototypes are
    left out.
    """
    loss = partial(dino_loss, temperature=temperature, teacher_temperature=teacher_temperature)
    return Recipe(
        name="dino",
        source="arXiv 2104.14294",
        views=(View("context", augment=augment), View("target", augment=augment)),
        projector=partial(PrototypeHead, n_prototypes=n_prototypes, dim=dim),
        memory=moving_center("y.context", "y.target", decay=center_decay),
        target=TargetNetworkSettings("ema", decay=decay, final_decay=1.0),
        losses={
            "forward": LossTerm(loss, ("z.context", "y.target", "center"), 0.5),
            "backward": LossTerm(loss, ("z.target", "y.context", "center"), 0.5),
        },
        batch_size=128,
    )
