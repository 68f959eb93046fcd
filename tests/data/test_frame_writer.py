"""Writers of frame stores: rows, errors, and what a killed writer leaves."""

import subprocess
import sys

import numpy as np
import pytest

from rlpriors.data.episodes import Episode
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore


def images(n: int, seed: int = 0, shape: tuple[int, ...] = (6, 5, 3)) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(n, *shape), dtype=np.uint8)


def test_an_episode_goes_in_with_its_steps(tmp_path):
    episode = Episode(
        obs={"camera": images(4), "speed": np.zeros((4, 1))},
        act=np.arange(6.0).reshape(3, 2),
        rew=np.array([0.0, 1.0, 2.0]),
        terminated=np.array([False, False, True]),
        truncated=np.zeros(3, bool),
    )
    with FrameWriter(tmp_path / "out") as writer:
        writer.add(episode, ["camera"])
        writer.add(episode, ["camera"])
    steps = writer.store.steps()
    assert writer.store.lengths.tolist() == [4, 4]
    np.testing.assert_array_equal(steps["act"], np.tile(episode.act, (2, 1)))
    assert steps["rew"].tolist() == [0, 1, 2, 0, 1, 2]
    assert steps["terminated"].tolist() == [False, False, True] * 2


def test_frames_one_by_one_and_many_rows_keep_the_header_in_place(tmp_path):
    writer = FrameWriter(tmp_path / "out")
    for frame in images(101, shape=(1, 1, 1)):
        writer.append(frame)
    store = writer.close()  # the running episode is ended
    assert store.lengths.tolist() == [101]
    np.testing.assert_array_equal(np.load(store.folder / "frames.npy"), images(101, shape=(1, 1, 1)))


def test_an_error_leaves_nothing(tmp_path):
    def play() -> None:
        with FrameWriter(tmp_path / "out") as writer:
            writer.add_episode(images(3))
            raise KeyError("the simulator broke")

    with pytest.raises(KeyError):
        play()
    assert list(tmp_path.iterdir()) == []
    writer = FrameWriter(tmp_path / "out")
    writer.discard()
    with pytest.raises(ValueError, match="closed"):
        writer.append(images(1)[0])


def test_a_killed_writer_leaves_no_store(tmp_path):
    code = (
        "import os, sys, numpy as np; from rlpriors.data.frame_writer import FrameWriter\n"
        "w = FrameWriter(sys.argv[1]); w.add_episode(np.zeros((9, 8, 8, 3), np.uint8)); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", code, str(tmp_path / "out")]).returncode == 9
    assert not (tmp_path / "out").exists()
    with pytest.raises(FileNotFoundError, match="`folder` must hold frames"):
        FrameStore.open(tmp_path / "out")
    assert len(list(tmp_path.iterdir())) == 1
    with FrameWriter(tmp_path / "out") as writer:  # it removes the files of the killed one
        writer.add_episode(images(2))
    assert writer.store.n_frames == 2
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_further_files_appear_with_the_store(tmp_path):
    with FrameWriter(tmp_path / "out", {"plan.json": "{}"}) as writer:
        writer.add_episode(images(2))
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "plan.json").read_text() == "{}"


def test_bad_frames_are_refused_and_nothing_of_them_is_written(tmp_path):
    writer = FrameWriter(tmp_path / "out")
    with pytest.raises(ValueError, match=r"`frames` must be uint8 images .* float64 of shape \(2,\)"):
        writer.extend(np.zeros((3, 2)))
    with pytest.raises(ValueError, match=r"identifiers. Received '../act'"):
        writer.extend(images(2), **{"../act": np.zeros(2)})
    writer.extend(images(2), act=np.zeros((2, 1)))
    with pytest.raises(
        ValueError, match=r"arrays of the first frame, \['act', 'frames'\]. Received \['frames'\]"
    ):
        writer.extend(images(2))
    with pytest.raises(ValueError, match=r"`frames` must have 2 rows of uint8 and shape \(6, 5, 3\)"):
        writer.extend(images(2, shape=(5, 6, 3)), act=np.zeros((2, 1)))
    with pytest.raises(ValueError, match="`act` must have 2 rows of float32"):
        writer.extend(images(2), act=np.zeros((3, 1)))
    with pytest.raises(ValueError, match="`act` must be finite"):
        writer.extend(images(2), act=np.full((2, 1), np.nan))
    with pytest.raises(ValueError, match="`act` must be an array of numbers"):
        writer.extend(images(2), act=np.array([[{}], [{}]]))
    assert writer.close().lengths.tolist() == [2]
