"""ST-DIM: places of a frame, and the frame as a whole, find the same places of the next frame."""

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import dot_nce
from rlpriors.representation.modules.projectors import take_global
from rlpriors.representation.recipe import Encoded, Recipe, Sizes, Term
from rlpriors.representation.transforms.views import View

__all__ = ["st_dim"]


class Places(nn.Module):
    """Bilinear scores for each cell of a map: from the frame as a whole as "p.global", from the same cell
    as "p.local", to the next frame's cells, "cells".
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        assert sizes.maps is not None
        channels = sizes.maps[0]
        self.whole = nn.Linear(sizes.latent, channels, bias=False)
        self.local = nn.Linear(channels, channels, bias=False)

    def forward(self, encoded: Encoded) -> dict[str, Tensor]:
        """All as [batch, cells, channels]."""
        now, later = (encoded.features[name].maps for name in ("now", "later"))
        assert now is not None
        assert later is not None
        cells = later.flatten(2).mT
        whole = self.whole(encoded.z["now"])[:, None].expand_as(cells)
        return {"p.global": whole, "p.local": self.local(now.flatten(2).mT), "cells": cells}


def st_dim(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Anand et al. 2019 (1906.08226, sec. 3): for each place of the map, InfoNCE over the batch."""
    return Recipe(
        name="st-dim",
        source="arXiv 1906.08226",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=take_global,
        predictor=Places,
        losses={
            "global_local_nce": Term(dot_nce, ("p.global", "cells")),
            "local_local_nce": Term(dot_nce, ("p.local", "cells")),
        },
        horizon=2,
        stride=offset,
        needs=("maps",),
    )
