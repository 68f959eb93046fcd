"""Losses on frames that were not learned from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.held_out import held_out_losses


def stripes(folder: Path, seed: int, *, across: bool, size: int = 64) -> FrameStore:
    """Frames of broad stripes, down or across."""
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        bands = np.repeat(rng.integers(0, 255, (64, 1, size // 8, 3), np.uint8), 8, 2)
        frames = np.broadcast_to(bands, (64, size, size, 3))
        writer.add_episode(np.ascontiguousarray(frames.swapaxes(1, 2) if across else frames))
    return writer.store


@pytest.fixture
def learner(tmp_path: Path) -> RepresentationLearner:
    encoder = load_encoder("vit-nano", weights="none", device="cpu")
    store = stripes(tmp_path / "down", 0, across=False)
    recipe = RECIPES["mae"](normalise=False, augment="none")
    found = RepresentationLearner(
        encoder, recipe, store, TrainingSettings(updates=60, batch_size=32, lr=2e-3)
    )
    for _ in range(60):
        found.update()
    return found


def test_what_was_learned_is_painted_better_than_what_was_not(
    learner: RepresentationLearner, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in learner.model.state_dict().items()}
    alike = held_out_losses(learner, stripes(tmp_path / "others", 1, across=False))
    other = held_out_losses(learner, stripes(tmp_path / "across", 1, across=True))
    assert set(alike) == {"patches", "loss"}
    assert alike["loss"] < 0.9 * other["loss"]
    assert learner.model.training
    assert all(torch.equal(before[name], value) for name, value in learner.model.state_dict().items())


def test_it_is_the_same_each_time_and_moves_no_generator(
    learner: RepresentationLearner, tmp_path: Path
) -> None:
    store = stripes(tmp_path / "others", 1, across=False)
    torch.manual_seed(5)
    first = torch.rand(1)
    torch.manual_seed(5)
    once = held_out_losses(learner, store, windows=48, seed=3)
    assert torch.equal(torch.rand(1), first)
    assert held_out_losses(learner, store, windows=48, seed=3) == once
    assert held_out_losses(learner, store, windows=48, seed=4) != once


def test_other_sizes_are_refused(learner: RepresentationLearner, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"frames of \(64, 64, 3\), as were learned from"):
        held_out_losses(learner, stripes(tmp_path / "small", 1, across=True, size=32))
