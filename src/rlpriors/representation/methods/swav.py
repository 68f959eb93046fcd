"""SwAV: prediction of the other view's assignment to prototypes (Caron et al., 2020, arXiv 2006.09882)."""

from functools import partial

from torch import Tensor, nn

from rlpriors.representation.losses.prototypes import cosine_similarity, init_prototypes, swav_loss
from rlpriors.representation.modules.projectors import mlp
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["swav"]


class PrototypeScores(nn.Module):
    """Cosine similarities of every view's projection with `n_prototypes` learned vectors: "scores.<view>".

    Raises:
        ValueError: `n_prototypes` is below 2.
    """

    def __init__(self, sizes: Sizes, n_prototypes: int = 64) -> None:
        super().__init__()
        self.prototypes = init_prototypes(n_prototypes, sizes.latent)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return scores [batch, n_prototypes] in [-1, 1]."""
        return {f"scores.{name}": cosine_similarity(z, self.prototypes) for name, z in encoded.z.items()}


def swav(
    *,
    augment: str = "shift+color-jitter+gaussian-blur",
    n_prototypes: int = 64,
    temperature: float = 0.1,
    epsilon: float = 0.05,
    dim: int = 128,
) -> Recipe:
    """Return the recipe of SwAV with two views.

    A good `n_prototypes` is about half of the batch size.  Scores are not centered and there is no
    moving-average teacher, unlike in `dino`.
    """
    return Recipe(
        name="swav",
        source="arXiv 2006.09882",
        views=(
            View("context", augment=augment, branch="online"),
            View("target", augment=augment, branch="online"),
        ),
        projector=mlp(512, dim=dim),
        predictor=partial(PrototypeScores, n_prototypes=n_prototypes),
        losses={
            "swav": LossTerm(
                partial(swav_loss, temperature=temperature, epsilon=epsilon),
                ("scores.context", "scores.target"),
            )
        },
        batch_size=128,
    )
