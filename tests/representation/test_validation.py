"""Losses on frames that were not learned from."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.validation import validation_losses


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
    recipe = RECIPES["mae"](normalize=False, augment="none")
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
    alike = validation_losses(learner, noise(tmp_path / "others", 1, 220))
    other = validation_losses(learner, noise(tmp_path / "dark", 1, 30))
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
    once = validation_losses(learner, store, n_clips=48, seed=3)
    assert torch.equal(torch.rand(1), first)
    assert validation_losses(learner, store, n_clips=48, seed=3) == once
    assert validation_losses(learner, store, n_clips=48, seed=4) != once


def test_other_sizes_are_refused(learner: RepresentationLearner, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"frames of \(64, 64, 3\), the shape of the training"):
        validation_losses(learner, noise(tmp_path / "small", 1, 220, size=32))


def test_actions_mean_what_they_meant_in_training(tmp_path: Path) -> None:
    """The held-out play never takes the last action, or floats of another scale."""

    def walk(name: str, act: np.ndarray) -> FrameStore:
        frames = np.random.default_rng(0).integers(256, size=(len(act), 36, 36, 3), dtype=np.uint8)
        with FrameWriter(tmp_path / name) as writer:
            writer.add_episode(frames, act=act)
        return writer.store

    def learn(store: FrameStore, method: str) -> RepresentationLearner:
        encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        return RepresentationLearner(
            encoder, RECIPES[method](), store, TrainingSettings(updates=1, batch_size=8)
        )

    turns = np.arange(30) % 4
    learner = learn(walk("turns", turns), "inverse-dynamics")
    few = walk("few", turns % 3)
    assert np.isfinite(validation_losses(learner, few)["loss"])
    with pytest.raises(ValueError, match=r"`act` must hold indices of at least 0 and below 4"):
        validation_losses(learner, walk("more", np.arange(30) % 5))
    with pytest.raises(ValueError, match="`store` must have `act`"):
        validation_losses(learner, noise(tmp_path / "none", 0, 90, size=36))
    forces = np.linspace(-1, 1, 30, dtype=np.float32)[:, None]
    steered = learn(walk("forces", forces), "inverse-dynamics")
    twice = steered.clips.like(walk("twice", 2 * forces)).at(np.array([3])).act
    assert twice is not None
    once = steered.clips.at(np.array([3])).act
    assert once is not None
    mean, spread = forces[:-1].mean(), forces[:-1].std()
    assert twice.item() == pytest.approx((2 * forces[3, 0] - mean) / spread, rel=1e-4)
    assert once.item() == pytest.approx((forces[3, 0] - mean) / spread, rel=1e-4)
    with pytest.raises(ValueError, match="must have actions of the kind"):
        validation_losses(steered, few)
