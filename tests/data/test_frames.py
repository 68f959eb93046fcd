"""Frames on disk: what comes back, what is refused, and what a killed writer leaves."""

import io
import json
import pickle
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore


def images(n: int, seed: int = 0, shape: tuple[int, ...] = (6, 5, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(n, *shape), dtype=np.uint8)


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    """Episodes of 4, 1 and 6 frames; `act` counts all frames."""
    with FrameWriter(tmp_path / "store") as writer:
        first = 0
        for length in (4, 1, 6):
            rows = np.arange(first, first + length)
            writer.add_episode(images(11)[rows], act=rows, ram=np.tile(rows[:, None].astype(np.uint8), 3))
            first += length
    return writer.store


def test_frames_come_back_mapped_and_not_loaded(store):
    again = FrameStore.open(store.folder)
    np.testing.assert_array_equal(again.frames, images(11))
    assert isinstance(again.frames, np.memmap)
    assert again.lengths.tolist() == [4, 1, 6]
    assert again.starts.tolist() == [0, 4, 5]
    assert (again.n_frames, again.n_episodes) == (11, 3)
    assert again.arrays["ram"].dtype == np.uint8
    assert again.arrays["ram"].shape == (11, 3)
    np.testing.assert_array_equal(again.episode(2), images(11)[5:])
    assert np.shares_memory(again.episode(2), again.frames)
    assert again.episode(2, "act").tolist() == [5, 6, 7, 8, 9, 10]
    assert not again.frames.flags.writeable


def test_a_store_is_pickled_as_its_folder(store):
    data = pickle.dumps(store)
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).frames, store.frames)


@pytest.mark.parametrize(
    ("horizon", "stride", "starts"),
    [(1, 1, list(range(11))), (2, 1, [0, 1, 2, 5, 6, 7, 8, 9]), (2, 3, [0, 5, 6, 7]), (6, 1, [5])],
)
def test_windows_lie_inside_episodes(store, horizon, stride, starts):
    assert store.window_starts(horizon, stride).tolist() == starts
    rows = np.array(starts)[:, None] + stride * np.arange(horizon)
    np.testing.assert_array_equal(store.windows(starts, horizon, stride), images(11)[rows])
    np.testing.assert_array_equal(store.windows(starts, horizon, stride, array="act"), rows)


def test_steps_leave_out_the_row_of_each_last_frame(store):
    assert list(store.steps()) == ["act"]
    assert store.steps()["act"].tolist() == [0, 1, 2, 5, 6, 7, 8, 9]


def cut(folder: Path) -> None:
    path = folder / "frames.npy"
    path.write_bytes(path.read_bytes()[:-100])


def other_type(folder: Path) -> None:
    np.save(folder / "frames.npy", np.zeros((11, 6, 5, 3), np.float32))


def pickled(folder: Path) -> None:
    np.save(folder / "act.npy", np.array([{}] * 11), allow_pickle=True)


def fewer_rows(folder: Path) -> None:
    np.save(folder / "act.npy", np.zeros(10))


def without_lengths(folder: Path) -> None:
    (folder / "index.json").write_text(json.dumps({"arrays": []}))


def write_index(folder: Path, lengths: object = (4, 1, 6), arrays: object = ()) -> None:
    np.save(folder.parent / "secret.npy", np.arange(11))
    (folder / "index.json").write_text(json.dumps({"lengths": lengths, "arrays": arrays}))


def zip_bytes(array: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.savez(file, array)
    return file.getvalue()


DAMAGE = [
    cut,
    other_type,
    pickled,
    fewer_rows,
    without_lengths,
    lambda folder: (folder / "act.npy").unlink(),
    lambda folder: (folder / "frames.npy").write_bytes(b""),
    lambda folder: (folder / "index.json").write_text("{"),
    lambda folder: (folder / "index.json").write_bytes(b"\xff\xfe"),
    lambda folder: (folder / "index.json").write_text('{"lengths": [11, 0], "arrays": []}'),
    lambda folder: (folder / "index.json").write_text('{"lengths": 3, "arrays": []}'),
    lambda folder: (folder / "index.json").write_text("[" * 100_000),
    lambda folder: (folder / "act.npy").write_bytes(zip_bytes(np.zeros(11))),
    lambda folder: np.save(folder / "act.npy", np.zeros(())),
    partial(write_index, arrays=["../secret"]),
    partial(write_index, arrays=["/etc/secret"]),
    partial(write_index, arrays=["act", "act"]),
    partial(write_index, arrays=["frames"]),
    partial(write_index, arrays=[3]),
    partial(write_index, arrays="act"),
    partial(write_index, lengths=[2**62] * 4 + [11]),  # the sum is 11 in 64 bits
    partial(write_index, lengths=[2**64, 11]),
    partial(write_index, lengths=[12, -1]),
    partial(write_index, lengths=[5.5, 5.5]),
    partial(write_index, lengths=["11"]),
    partial(write_index, lengths=[True] * 11),
    partial(write_index, lengths=[]),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_one_clear_error(store, damage):
    damage(store.folder)
    with pytest.raises(ValueError, match=f"frames in {re.escape(str(store.folder))} are damaged .* again"):
        FrameStore.open(store.folder)


def test_empty_and_taken_are_refused(tmp_path, store):
    with pytest.raises(ValueError, match="`folder` must be new"):
        FrameWriter(store.folder)
    with pytest.raises(ValueError, match="at least one frame"):
        FrameWriter(tmp_path / "empty").close()
    writer = FrameWriter(tmp_path / "race")
    with pytest.raises(ValueError, match="An episode must have at least one frame"):
        writer.end_episode()
    writer.extend(images(1))
    (tmp_path / "race").mkdir()
    (tmp_path / "race" / "file").touch()
    with pytest.raises(ValueError, match="created in the meantime"):
        writer.close()
    with pytest.raises(ValueError, match="closed already"):
        writer.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["race", "store"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda s: s.window_starts(7), "`horizon` 7 .* needs 7 frames. .* at most 6"),
        (lambda s: s.window_starts(0), "`horizon` must be at least 1"),
        (lambda s: s.windows([3], 2), "`starts` must leave room for 2 frames, 1 apart.*Received 3"),
        (lambda s: s.windows([11], 1), r"`starts` must be in 0..10"),
        (lambda s: s.windows([0], 1, array="rew"), r"`array` must be one of \['frames', 'act', 'ram'\]"),
        (lambda s: s.episode(3), r"`index` must be in 0..2"),
    ],
)
def test_bad_questions(store, call, message):
    with pytest.raises(ValueError, match=message):
        call(store)
