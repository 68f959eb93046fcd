"""Methods of representation learning, each a recipe in a file of its own.

`RECIPES`   all of them by name, and what is made by each
"""

from collections.abc import Callable

from rlpriors.representation.methods.byol import byol
from rlpriors.representation.methods.inverse_dynamics import inverse_dynamics
from rlpriors.representation.methods.mae import mae
from rlpriors.representation.methods.moco import moco
from rlpriors.representation.methods.simclr import simclr
from rlpriors.representation.methods.st_dim import st_dim
from rlpriors.representation.methods.temporal_cpc import temporal_cpc
from rlpriors.representation.methods.vicreg import vicreg
from rlpriors.representation.recipe import Recipe

__all__ = ["RECIPES"]

RECIPES: dict[str, Callable[..., Recipe]] = {
    "simclr": simclr,
    "moco": moco,
    "byol": byol,
    "vicreg": vicreg,
    # Time: what comes later.
    "temporal-cpc": temporal_cpc,
    "st-dim": st_dim,
    # Actions: what was done, and what it leads to.
    "inverse-dynamics": inverse_dynamics,
    # Transformers: what was hidden of an image.
    "mae": mae,
}
