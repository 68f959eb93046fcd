"""Losses on frames that were not learned from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.held_out import held_out_losses


def noise(folder: Path, seed: int, brightness: int, size: int = 64) -> FrameStore:
    """Frames of one brightness, give or take 20."""
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        writer.add_episode(rng.integers(brightness - 20, brightness + 20, (64, size, size, 3), np.uint8))
    return writer.store


@pytest.fixture
def learner(tmp_path: Path) -> RepresentationLearner:
    encoder = load_encoder("vit-nano", weights="none", device="cpu")
    store = noise(tmp_path / "bright", 0, 220)
    recipe = RECIPES["mae"](normalise=False, augment="none")
    found = RepresentationLearner(
        encoder, recipe, store, TrainingSettings(updates=20, batch_size=32, lr=2e-3)
    )
    for _ in range(20):
        found.update()
    return found


def test_what_was_learned_is_painted_better_than_what_was_not(
    learner: RepresentationLearner, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    alike = held_out_losses(learner, noise(tmp_path / "others", 1, 220))
    other = held_out_losses(learner, noise(tmp_path / "dark", 1, 30))
    assert set(alike) == {"patches", "loss"}
    assert alike["loss"] < 0.5 * other["loss"]
    assert learner.model.training
    assert all(torch.equal(before[name], value) for name, value in learner.model.state_dict().items())


def test_it_is_the_same_each_time_and_moves_no_generator(
    learner: RepresentationLearner, tmp_path: Path
) -> None:
    store = noise(tmp_path / "others", 1, 220)
    torch.manual_seed(5)
    first = torch.rand(1)
    torch.manual_seed(5)
    once = held_out_losses(learner, store, windows=48, seed=3)
    assert torch.equal(torch.rand(1), first)
    assert held_out_losses(learner, store, windows=48, seed=3) == once
    assert held_out_losses(learner, store, windows=48, seed=4) != once


def test_other_sizes_are_refused(learner: RepresentationLearner, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"frames of \(64, 64, 3\), as were learned from"):
        held_out_losses(learner, noise(tmp_path / "small", 1, 220, size=32))
