import os

import numpy as np
import pytest
import safetensors.torch
import torch

from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.files import read_arrays, write_arrays


def store(obs=None, act=None):
    """Two episodes, of two steps and one."""
    return EpisodeStore(
        obs=np.array([[0.0], [0.1], [2.5], [-7.0], [3.0]]) if obs is None else obs,
        act=np.array([[1.0], [0.3], [-1.0]]) if act is None else act,
        rew=np.array([0.1, 70000.0, -2.0]),
        terminated=np.array([False, True, False]),
        truncated=np.array([False, False, True]),
        lengths=np.array([2, 1]),
    )


COLUMNS = ("obs", "act", "rew", "terminated", "truncated", "lengths")


@pytest.mark.parametrize(
    ("obs", "act"),
    [
        (None, None),
        (None, np.array([0, 3, 1])),  # Discrete
        (np.arange(5 * 2 * 2 * 3, dtype=np.uint8).reshape(5, 2, 2, 3), None),  # images
    ],
)
def test_what_is_saved_is_loaded(tmp_path, obs, act):
    before = store(obs, act)
    path = before.save(tmp_path / "new" / "episodes.safetensors")
    after = EpisodeStore.load(path)
    for name in COLUMNS:
        left, right = getattr(before, name), getattr(after, name)
        assert left.dtype == right.dtype
        np.testing.assert_array_equal(left, right)
    assert os.listdir(path.parent) == ["episodes.safetensors"]  # nothing temporary stays


def test_float16_halves_observations_and_actions_alone(tmp_path):
    before = store()
    after = EpisodeStore.load(before.save(tmp_path / "half", dtype="float16"))
    assert after.obs.dtype == after.act.dtype == np.float32
    np.testing.assert_allclose(after.obs, before.obs, rtol=2**-11)
    assert after.obs[1, 0] == np.float16(0.1)
    np.testing.assert_array_equal(after.rew, before.rew)  # 70000 would be infinite in float16
    images = store(obs=np.full((5, 2), 255, np.uint8), act=np.array([0, 3, 1]))
    again = EpisodeStore.load(images.save(tmp_path / "images", dtype="float16"))
    assert (again.obs.dtype, again.act.dtype) == (np.uint8, np.int64)
    with pytest.raises(ValueError, match=r'`dtype` "float16" holds at most 65504\. Received .* in `obs`'):
        store(obs=np.full((5, 1), 7e4)).save(tmp_path / "large", dtype="float16")
    assert not (tmp_path / "large").exists()


def test_a_subset_saves_what_it_holds(tmp_path):
    after = EpisodeStore.load(store().subset([1]).save(tmp_path / "one"))
    assert after.lengths.tolist() == [1]
    assert after.obs[:, 0].tolist() == [-7.0, 3.0]


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = store().save(tmp_path / "episodes")

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        store(act=np.zeros((3, 1))).save(path)
    assert EpisodeStore.load(path).act[0] == 1.0
    assert os.listdir(tmp_path) == ["episodes"]


def test_files_that_are_none(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"There is no file .*none. Give one that holds an EpisodeStore"
    ):
        EpisodeStore.load(tmp_path / "none")
    path = store().save(tmp_path / "cut")
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(ValueError, match=r"`path` must be a complete safetensors file.*damaged"):
        EpisodeStore.load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match="damaged"):
        EpisodeStore.load(path)
    write_arrays(path, {"x": np.zeros(1)}, "Table")
    with pytest.raises(ValueError, match=r"must hold an EpisodeStore. Received .*header contains 'Table'"):
        EpisodeStore.load(path)
    write_arrays(path, {"obs": np.zeros(1)}, "EpisodeStore")
    with pytest.raises(ValueError, match=r"Received .*cut, which lacks act, rew, terminated"):
        EpisodeStore.load(path)


def test_what_is_loaded_is_checked(tmp_path):
    arrays = {name: getattr(store(), name) for name in COLUMNS}
    path = write_arrays(tmp_path / "wrong", arrays | {"lengths": np.array([2, 2])}, "EpisodeStore")
    with pytest.raises(ValueError, match="`obs` must have 6 rows"):
        EpisodeStore.load(path)


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("name", "array", "message"),
    [
        ("terminated", np.array([0.0, 0.5, 1.0]), r"`terminated` must hold booleans.* Received 0\.5"),
        ("truncated", np.array([0, 2, 1]), r"`truncated` must hold booleans.* Received 2"),
        (
            "lengths",
            np.array([2.0, 1.0]),
            r"`lengths` must hold integers.* array of float64",
        ),
    ],
)
def test_flags_and_lengths_are_not_cast_in_silence(tmp_path, name, array, message):
    arrays = {column: getattr(store(), column) for column in COLUMNS}
    path = write_arrays(tmp_path / "wrong", arrays | {name: array}, "EpisodeStore")
    with pytest.raises(ValueError, match=message):
        EpisodeStore.load(path)


def test_numbers_that_numpy_has_not_are_told(tmp_path):
    path = tmp_path / "brain"
    tensors = {name: torch.tensor(getattr(store(), name)) for name in COLUMNS}
    tensors["obs"] = tensors["obs"].to(torch.bfloat16)
    safetensors.torch.save_file(tensors, path, {"kind": "EpisodeStore"})
    with pytest.raises(
        ValueError, match=r"arrays of numpy's types\. Received .*: .*bfloat16.*; write it again"
    ):
        EpisodeStore.load(path)


def test_arrays_need_not_be_contiguous(tmp_path):
    square = np.arange(6.0).reshape(2, 3)
    path = write_arrays(tmp_path / "turned", {"x": square.T}, "Table")
    np.testing.assert_array_equal(read_arrays(path, "Table")["x"], square.T)
