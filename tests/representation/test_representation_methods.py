"""Every method is found by its name, and EIRLI's by theirs."""

import re

import pytest

from rlpriors.representation import RECIPES
from rlpriors.representation.methods import EIRLI_NAMES


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_bear_the_name_they_are_found_by(name: str) -> None:
    recipe = RECIPES[name]()
    assert recipe.name == name
    assert re.fullmatch(r"arXiv \d{4}\.\d{4,5}", recipe.source) or "arXiv" not in recipe.source


def test_spr_has_a_moving_average_where_frames_are_not_augmented() -> None:
    """As its authors' code: --momentum-tau 1 with augmentation, 0.01 without."""
    assert RECIPES["spr"]().branch.decay == 0
    assert RECIPES["spr"](augment="none").branch.decay == 0.99
    assert RECIPES["spr"](decay=0.5).branch.decay == 0.5


def test_all_of_eirli_is_here() -> None:
    assert len(EIRLI_NAMES) == 18  # the classes of its algos/__init__.py
    assert set(EIRLI_NAMES.values()) <= set(RECIPES)
    assert len(set(EIRLI_NAMES.values())) == len(EIRLI_NAMES)
