"""Recurrent CPC: contrastive prediction from a GRU (van den Oord et al., 2018, arXiv 1807.03748)."""

from functools import partial

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["recurrent_cpc"]


class GRUContext(nn.Module):
    """A GRU over a clip, and a linear map W_k of its state for each step k.

    Outputs are predictions "prediction.k" and frames "future.k", both [batch, horizon - k, latent].
    """

    def __init__(self, sizes: Sizes, n_steps: int, hidden: int = 256) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.latent, hidden, batch_first=True)
        self.maps = nn.ModuleList(nn.Linear(hidden, sizes.latent, bias=False) for _ in range(n_steps))

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return predictions and frames for k = 1 to `n_steps`."""
        z = encoded.z["clip"]
        context, _ = self.gru(z)
        outputs: dict[str, Tensor] = {}
        for k, matrix in enumerate(self.maps, start=1):
            outputs |= {f"prediction.{k}": matrix(context[:, :-k]), f"future.{k}": z[:, k:]}
        return outputs


def recurrent_cpc(*, horizon: int = 8, n_steps: int = 3, stride: int = 1, augment: str = "none") -> Recipe:
    """Return the recipe of CPC with a recurrent context (sec. 2.3): z_{t+k} W_k c_t for k = 1 to `n_steps`.

    Negatives are the frames of the batch's other clips at the same time.  EIRLI's method of this name has
    no negatives, and therefore a loss of 0.

    Raises:
        ValueError: `n_steps` is not between 1 and `horizon` - 1.
    """
    if not 1 <= n_steps < horizon:
        raise ValueError(f"`n_steps` must be between 1 and `horizon` - 1, {horizon - 1}. Received {n_steps}.")
    return Recipe(
        name="recurrent-cpc",
        source="arXiv 1807.03748",
        views=(View("clip", augment=augment, branch="online"),),
        projector=identity_projector,
        predictor=partial(GRUContext, n_steps=n_steps),
        losses={
            f"info_nce_{k}": LossTerm(info_nce, (f"prediction.{k}", f"future.{k}"), 1 / n_steps)
            for k in range(1, n_steps + 1)
        },
        horizon=horizon,
        stride=stride,
    )
