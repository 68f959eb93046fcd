"""Frames of several stores as one."""

from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frame_mixing import concatenate, shuffle_pixels, subsample
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore


def store(folder: Path, lengths: list[int], value: int) -> FrameStore:
    with FrameWriter(folder) as writer:
        for length in lengths:
            writer.add_episode(np.full((length, 8, 8, 3), value, np.uint8))
    return writer.store


def test_frames_are_gathered_evenly_joined_and_shuffled(tmp_path: Path) -> None:
    one, two = store(tmp_path / "one", [5, 5], 1), store(tmp_path / "two", [4, 9], 2)
    both = subsample([one, two], 13, tmp_path / "both", seed=0)
    assert both.n_frames == 13
    assert [int((both.frames[:, 0, 0, 0] == value).sum()) for value in (1, 2)] == [7, 6]
    with pytest.raises(ValueError, match=r"must provide 11\. Received 22"):
        subsample([one, two], 22, tmp_path / "more", seed=0)
    assert concatenate([one, two], tmp_path / "joined").lengths.tolist() == [5, 5, 4, 9]
    rng = np.random.default_rng(0)
    with FrameWriter(tmp_path / "noise") as writer:
        writer.add_episode(rng.integers(255, size=(3, 8, 8, 3), dtype=np.uint8))
    mixed = shuffle_pixels(writer.store, tmp_path / "mixed", seed=0)
    for before, after in zip(writer.store.frames, mixed.frames, strict=True):
        pixels = [sorted(map(tuple, frame.reshape(-1, 3).tolist())) for frame in (before, after)]
        assert pixels[0] == pixels[1]
        assert not np.array_equal(before, after)
