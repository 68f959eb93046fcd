"""ST-DIM: contrastive prediction of the next frame's map (Anand et al., 2019, arXiv 1906.08226)."""

from torch import Tensor, nn

from rlpriors.representation.losses.contrastive import info_nce
from rlpriors.representation.modules.projectors import identity_projector
from rlpriors.representation.recipe import EncodedBatch, LossTerm, Recipe, Sizes
from rlpriors.representation.transforms.views import View

__all__ = ["st_dim"]


class LocalFeatures(nn.Module):
    """Bilinear maps to the cells of the next frame's map, "cells".

    "p.global" is a linear map of the frame's vector, "p.local" one of the cell at the same position.
    """

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        assert sizes.maps is not None
        channels = sizes.maps[0]
        self.from_global = nn.Linear(sizes.latent, channels, bias=False)
        self.from_local = nn.Linear(channels, channels, bias=False)

    def forward(self, encoded: EncodedBatch) -> dict[str, Tensor]:
        """Return tensors [batch, cells, channels]."""
        now, later = (encoded.features[name].maps for name in ("now", "later"))
        assert now is not None
        assert later is not None
        cells = later.flatten(2).mT
        from_global = self.from_global(encoded.z["now"])[:, None].expand_as(cells)
        return {"p.global": from_global, "p.local": self.from_local(now.flatten(2).mT), "cells": cells}


def st_dim(*, offset: int = 1, augment: str = "none") -> Recipe:
    """Return the recipe of ST-DIM (sec. 3): InfoNCE over the batch for each cell of the map."""
    return Recipe(
        name="st-dim",
        source="arXiv 1906.08226",
        views=(
            View("now", frames=(0,), augment=augment, branch="online"),
            View("later", frames=(1,), augment=augment, branch="online"),
        ),
        projector=identity_projector,
        predictor=LocalFeatures,
        losses={
            "global_local_nce": LossTerm(info_nce, ("p.global", "cells")),
            "local_local_nce": LossTerm(info_nce, ("p.local", "cells")),
        },
        horizon=2,
        stride=offset,
        needs=("maps",),
    )
