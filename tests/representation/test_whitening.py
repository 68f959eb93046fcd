"""Whitening: what it does to features within worlds, and that it costs no knowledge."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.representation.whitening import whiten, within_group_covariance

SIDE = 116  # the fewest pixels from which the network has more cells than features


@pytest.fixture(scope="module")
def worlds(tmp_path_factory: pytest.TempPathFactory) -> list[FrameStore]:
    """A square that walks, in two worlds of other brightness."""
    rng = np.random.default_rng(0)
    stores = []
    for name, light in (("dark", 0), ("bright", 150)):
        frames = np.full((600, SIDE, SIDE, 1), light, np.uint8)
        for frame, (row, column) in zip(frames, rng.integers(SIDE - 12, size=(600, 2)), strict=True):
            frame[row : row + 12, column : column + 12] += 90
        with FrameWriter(tmp_path_factory.mktemp("worlds") / name) as writer:
            writer.add_episode(frames)
        stores.append(writer.store)
    return stores


def make(name: str = "atari-cnn") -> ImageEncoder:
    return load_encoder(name, weights="none", input_size=(SIDE, SIDE), device="cpu")


def test_worlds_vary_about_their_own_means() -> None:
    # By hand: deviations (-1, 1), (1, -1) about (1, 11), and 0 about (50, 50): half of [[1, -1], [-1, 1]].
    features = [np.array([[0.0, 12.0], [2.0, 10.0]]), np.array([[50.0, 50.0], [50.0, 50.0]])]
    assert within_group_covariance(features).tolist() == [[0.5, -0.5], [-0.5, 0.5]]


def test_features_become_white_within_worlds_and_centered_over_all(worlds: list[FrameStore]) -> None:
    encoder = make()
    before = [encoder.encode(np.array(store.frames)).numpy() for store in worlds]
    fingerprint = encoder.fingerprint()
    whiten(encoder, worlds, frames_per_store=600, shrinkage=1e-12)
    after = [encoder.encode(np.array(store.frames)).numpy() for store in worlds]
    assert within_group_covariance(after) == pytest.approx(np.eye(before[0].shape[1]), abs=0.01)
    assert np.concatenate(after).mean(0) == pytest.approx(np.zeros(before[0].shape[1]), abs=0.01)
    assert encoder.fingerprint() != fingerprint
    # A linear layer tells as much from either: what is new is a linear function of what was.
    rows = np.concatenate(before)
    design = np.concatenate([rows, np.ones((len(rows), 1))], 1).astype(np.float64)
    _, residual, *_ = np.linalg.lstsq(design, np.concatenate(after).astype(np.float64), rcond=None)
    assert residual.max() < 1e-3


def test_shrinking_leaves_what_hardly_varies_small(worlds: list[FrameStore]) -> None:
    plain, shrunk = make(), make()
    whiten(plain, worlds, frames_per_store=600, shrinkage=1e-12)
    whiten(shrunk, worlds, frames_per_store=600, shrinkage=1.0)
    spread = [
        np.linalg.eigvalsh(
            within_group_covariance([encoder.encode(np.array(w.frames)).numpy() for w in worlds])
        )
        for encoder in (plain, shrunk)
    ]
    assert spread[0] == pytest.approx(np.ones_like(spread[0]), abs=0.01)
    assert spread[1].max() < 1
    assert spread[1].min() < 0.2


def test_a_saved_encoder_stays_white(worlds: list[FrameStore], tmp_path: Path) -> None:
    encoder = make()
    whiten(encoder, worlds)
    encoder.save(tmp_path / "white")
    frames = np.array(worlds[0].frames[:8])
    again = load_encoder(tmp_path / "white", device="cpu").encode(frames)
    assert again.numpy() == pytest.approx(encoder.encode(frames).numpy(), abs=1e-5)


def test_what_cannot_be_whitened_is_refused(worlds: list[FrameStore]) -> None:
    with pytest.raises(ValueError, match=r"must end with a linear layer.*Received 'nature-cnn'"):
        whiten(make("nature-cnn"), worlds)
    with pytest.raises(ValueError, match=r"`frames_per_store` must be at least 2\. Received 1"):
        whiten(make(), worlds, frames_per_store=1)
    with pytest.raises(ValueError, match=r"`shrinkage` must be above 0\. Received 0\.0"):
        whiten(make(), worlds, shrinkage=0.0)


def test_features_that_tell_nothing_are_refused_and_nothing_is_changed(
    worlds: list[FrameStore], tmp_path: Path
) -> None:
    with FrameWriter(tmp_path / "still") as writer:
        writer.add_episode(np.zeros((5, SIDE, SIDE, 1), np.uint8))
    encoder = make()
    before = encoder.fingerprint()
    with pytest.raises(ValueError, match=r"must be finite and vary.*the same for all frames; check"):
        whiten(encoder, [writer.store])
    assert encoder.fingerprint() == before
    with torch.no_grad():
        next(encoder.backbone.parameters()).fill_(torch.nan)
    with pytest.raises(ValueError, match="Received NaN or infinity"):
        whiten(encoder, worlds)
