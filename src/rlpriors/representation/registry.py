"""Methods by name.

`find_recipe`  the recipe of a method with options
"""

import inspect
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from rlpriors.representation.methods import EIRLI_NAMES, RECIPES
from rlpriors.representation.recipe import Recipe

__all__ = ["find_recipe"]


def find_recipe(method: str, options: Mapping[str, Any]) -> Recipe:
    """Return the recipe of a method, by its name or the name of EIRLI's class.

    Raises:
        ValueError: there is no such method or option, or an option is out of its bounds.

    Example:
        >>> find_recipe("TemporalCPC", {"offset": 3}).name
        'temporal-cpc'
    """
    name = EIRLI_NAMES.get(method, method)
    if name not in RECIPES:
        matches = get_close_matches(method, [*RECIPES, *EIRLI_NAMES], n=1)
        hint = f" Did you mean {matches[0]}?" if matches else ""
        raise ValueError(f"`method` must be one of {', '.join(RECIPES)}. Received {method!r}.{hint}")
    known = list(inspect.signature(RECIPES[name]).parameters)
    unknown = [option for option in options if option not in known]
    if unknown:
        raise ValueError(f"`options` of {method} must be among {known}. Received {unknown}.")
    return RECIPES[name](**options)
