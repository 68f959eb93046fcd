"""Every method is found by its name, and EIRLI's by theirs."""

import re

import numpy as np
import pytest
import torch

from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES
from rlpriors.representation.clips import Actions, ClipBatch
from rlpriors.representation.methods import EIRLI_NAMES
from rlpriors.representation.model import RepresentationModel


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_bear_the_name_they_are_found_by(name: str) -> None:
    recipe = RECIPES[name]()
    assert recipe.name == name
    assert re.fullmatch(r"arXiv \d{4}\.\d{4,5}", recipe.source) or "arXiv" not in recipe.source


def test_spr_has_a_moving_average_where_frames_are_not_augmented() -> None:
    """As its authors' code: --momentum-tau 1 with augmentation, 0.01 without."""
    assert RECIPES["spr"]().target.decay == 0
    assert RECIPES["spr"](augment="none").target.decay == 0.99
    assert RECIPES["spr"](decay=0.5).target.decay == 0.5


def test_all_of_eirli_is_here() -> None:
    assert len(EIRLI_NAMES) == 18  # the classes of its algos/__init__.py
    assert set(EIRLI_NAMES.values()) <= set(RECIPES)
    assert len(set(EIRLI_NAMES.values())) == len(EIRLI_NAMES)


def test_act_jepa_holds_one_step_against_its_own_window() -> None:
    """A window of one frame loses its axis on the way, and would be held against those of all others."""
    encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
    model = RepresentationModel(encoder, RECIPES["act-jepa"](n_steps=1), actions=Actions(3, discrete=True))
    frames = torch.from_numpy(np.random.default_rng(0).integers(256, size=(5, 2, 36, 36, 3), dtype=np.uint8))
    index = torch.arange(5).reshape(5, 1, 1) % 3
    act = torch.nn.functional.one_hot(index[..., 0], 3).float()
    assert torch.isfinite(model(ClipBatch(frames, act, index))["loss"])
    assert model.outputs["prediction"].shape == model.outputs["future"].shape == (5, 1, model.sizes.latent)
