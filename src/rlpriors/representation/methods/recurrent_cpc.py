"""Recurrent CPC: a memory of what was seen finds the next frames, each number of steps by its own matrix."""

from functools import partial

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["recurrent_cpc"]


class Context(nn.Module):
    """A GRU over a window, and W_k of its state at each time: "ahead.k", beside the frames k later,
    "later.k", both [batch, horizon - k, latent].
    """

    def __init__(self, sizes: Sizes, ahead: int, hidden: int = 256) -> None:
        super().__init__()
        self.gru = nn.GRU(sizes.latent, hidden, batch_first=True)
        self.maps = nn.ModuleList(nn.Linear(hidden, sizes.latent, bias=False) for _ in range(ahead))

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """For each k from 1 on."""
        z = encoded.z["window"]
        context, _ = self.gru(z)
        found: dict[str, Tensor] = {}
        for k, matrix in enumerate(self.maps, start=1):
            found |= {f"ahead.{k}": matrix(context[:, :-k]), f"later.{k}": z[:, k:]}
        return found


def recurrent_cpc(*, horizon: int = 8, ahead: int = 3, stride: int = 1, augment: str = "none") -> Recipe:
    """Van den Oord et al. 2018 (1807.03748, sec. 2.3): z_{t+k} W_k c_t for k = 1 to `ahead`.

    Negatives are the same time of the batch's other windows.  EIRLI's of this name had none, and
    therefore a loss of 0.

    Raises:
        ValueError: `ahead` is not between 1 and the frames after the first.
    """
    if not 1 <= ahead < horizon:
        raise ValueError(f"`ahead` must be between 1 and `horizon` - 1, {horizon - 1}. Received {ahead}.")
    return Recipe(
        name="recurrent-cpc",
        source="arXiv 1807.03748",
        views=(View("window", augment=augment, branch="online"),),
        projector=take_global,
        predictor=partial(Context, ahead=ahead),
        losses={
            f"nce_{k}": Term(dot_nce, (f"ahead.{k}", f"later.{k}"), 1 / ahead) for k in range(1, ahead + 1)
        },
        horizon=horizon,
        stride=stride,
    )
