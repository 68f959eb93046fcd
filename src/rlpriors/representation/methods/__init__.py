"""Methods of representation learning, each a recipe in a file of its own.

`RECIPES`   all of them by name, and what is made by each
"""

from collections.abc import Callable

from rlpriors.representation.methods.byol import byol
from rlpriors.representation.methods.simclr import simclr
from rlpriors.representation.recipe import Recipe

__all__ = ["RECIPES"]

RECIPES: dict[str, Callable[..., Recipe]] = {
    "simclr": simclr,
    "byol": byol,
}
