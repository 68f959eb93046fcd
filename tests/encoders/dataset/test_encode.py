"""Encoded data sets: equal to online encoding for every source, also after an interruption."""

import json
import re
import subprocess
import sys
from functools import partial
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.spaces import Box
from jaxtyping import config

from rlpriors.data.episodes import Episode
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.data.minari import write_dataset
from rlpriors.encoders.backbones.native import build_network
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.encoders.dataset.encoded_dataset import load_encoded
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.spec import EncoderSpec

LENGTHS = (5, 1, 8)
FILES = ("features.npy", "index.json", "fingerprint.json")


def make_encoder(readout: str = "cls", *, seed: int = 0, **changes) -> ImageEncoder:
    fields = {"name": "tiny", "source": "network", "model_id": "nature-cnn", "license": "mit"}
    spec = EncoderSpec(**(fields | {"input_size": (36, 36), "interpolation": "bilinear"} | changes))
    return ImageEncoder(spec, build_network(spec, "none", seed=seed), readout, device="cpu")


def images(n: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(256, size=(n, 30, 40, 3), dtype=np.uint8)


def frames_with_repeats() -> np.ndarray:
    """14 frames, 11 of them distinct: 3 is 2 again, 6 is 0, 9 is 8."""
    frames = images(14)
    frames[3], frames[6], frames[9] = frames[2], frames[0], frames[8]
    return frames


def two_cameras(dataset_id: str) -> None:
    camera = Box(0, 255, (30, 40, 3), np.uint8)
    space = gym.spaces.Dict({"left": camera, "right": camera, "speed": Box(-1, 1, (2,))})
    obs = {"left": images(3), "right": images(3, 1), "speed": np.zeros((3, 2), np.float32)}
    step = np.zeros(2, bool)
    episode = Episode(obs, np.zeros(2, int), np.zeros(2), step, step)
    write_dataset([episode], dataset_id, observation_space=space, action_space=gym.spaces.Discrete(3))


class Counting:
    """Counts the frames that an encoder is given, and may fail at some call."""

    def __init__(self, encoder: ImageEncoder, monkeypatch: pytest.MonkeyPatch, fail_at: int | None = None):
        self.frames, self.calls, self.encode = 0, 0, encoder.encode
        self.fail_at = fail_at
        monkeypatch.setattr(encoder, "encode", self)

    def __call__(self, frames, previous=None):
        self.calls += 1
        if self.calls == self.fail_at:
            raise KeyboardInterrupt
        self.frames += len(frames)
        return self.encode(frames, previous)


@pytest.fixture
def encoder() -> ImageEncoder:
    return make_encoder()


@pytest.fixture
def store(tmp_path: Path) -> FrameStore:
    with FrameWriter(tmp_path / "frames") as writer:
        first = 0
        for length in LENGTHS:
            rows = np.arange(first, first + length)
            writer.add_episode(frames_with_repeats()[rows], act=rows, rew=rows / 2)
            first += length
    return writer.store


def same_files(a: Path, b: Path) -> None:
    assert sorted(path.name for path in a.iterdir()) == sorted(path.name for path in b.iterdir())
    for name in FILES:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-5), ("float16", 2e-3)])
@pytest.mark.parametrize("dedup", [True, False])
def test_offline_is_online(encoder, store, tmp_path, dtype, tolerance, dedup):
    encoded = encode_dataset(
        store, encoder, tmp_path / "out", dtype=dtype, batch_size=4, dedup=dedup, progress=False
    )
    online = encoder.encode(frames_with_repeats()).numpy()
    assert encoded.features.dtype == dtype
    np.testing.assert_allclose(encoded.features, online, atol=tolerance)
    assert encoded.lengths.tolist() == list(LENGTHS)
    np.testing.assert_allclose(encoded.episode(2), online[6:], atol=tolerance)
    assert np.shares_memory(encoded.episode(2), encoded.features)
    assert repr(encoded) == f"EncodedDataset(3 episodes, 14 frames of (512,) {dtype})"


def test_each_distinct_frame_is_encoded_once(encoder, store, tmp_path, monkeypatch):
    count = Counting(encoder, monkeypatch)
    with_dedup = encode_dataset(store, encoder, tmp_path / "a", batch_size=4, progress=False)
    assert count.frames == 11
    without = encode_dataset(store, encoder, tmp_path / "b", batch_size=4, dedup=False, progress=False)
    assert count.frames == 11 + 14
    np.testing.assert_allclose(with_dedup.features, without.features, atol=2e-3)
    np.testing.assert_array_equal(with_dedup.features[3], with_dedup.features[2])


def test_equal_digests_of_unequal_frames_are_detected(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr("rlpriors.encoders.dataset.frame_sources._digest", lambda *parts: b"always the same")
    frames = images(6)
    encoded = encode_dataset(frames, encoder, tmp_path / "out", dtype="float32", progress=False)
    np.testing.assert_allclose(encoded.features, encoder.encode(frames).numpy(), atol=1e-5)


def test_a_frame_with_another_one_before_it_is_another_frame(store, tmp_path):
    encoder = make_encoder("topk-crops(2)", resize="squash")
    encoded = encode_dataset(store, encoder, tmp_path / "out", dtype="float32", batch_size=4, progress=False)
    frames = frames_with_repeats()
    before = frames[[0, 0, 1, 2, 3, 5, 6, 6, 7, 8, 9, 10, 11, 12]]  # episodes start at 0, 5 and 6
    np.testing.assert_allclose(encoded.features, encoder.encode(frames, before).numpy(), atol=1e-4)


def test_sources_agree(encoder, store, tmp_path):
    """A store, its folder by path and by name, and an array."""
    sources = {"store": store, "path": store.folder, "name": str(store.folder), "array": store.frames}
    for name, source in sources.items():
        encode_dataset(source, encoder, tmp_path / name, dtype="float32", batch_size=4, progress=False)
    for name in ("path", "name"):
        same_files(tmp_path / "store", tmp_path / name)
    features = (tmp_path / "store" / "features.npy").read_bytes()
    assert (tmp_path / "array" / "features.npy").read_bytes() == features


@pytest.mark.usefixtures("minari_root")
@pytest.mark.parametrize("kind", ["box", "dict"])
def test_a_minari_data_set_becomes_an_episode_store(encoder, tmp_path, kind):
    camera = Box(0, 255, (30, 40, 3), np.uint8)
    space = camera if kind == "box" else gym.spaces.Dict({"camera": camera, "speed": Box(-1, 1, (2,))})
    episodes = []
    for seed, steps in enumerate((4, 3)):
        frames = images(steps + 1, seed)
        obs = frames if kind == "box" else {"camera": frames, "speed": np.zeros((steps + 1, 2), np.float32)}
        end = np.arange(steps) == steps - 1
        act = np.arange(steps) % 3
        episodes.append(Episode(obs, act, np.arange(steps) + 0.5, end, np.zeros(steps, bool)))
    write_dataset(episodes, "toy/images-v0", observation_space=space, action_space=gym.spaces.Discrete(3))
    encoded = encode_dataset(
        "toy/images-v0", encoder, tmp_path / "out", dtype="float32", batch_size=4, progress=False
    )
    assert encoded.lengths.tolist() == [5, 4]
    store = encoded.to_episode_store()
    assert (store.n_episodes, store.n_steps) == (2, 7)
    assert store.act.tolist() == [0, 1, 2, 0, 0, 1, 2]
    assert store.rew.tolist() == [0.5, 1.5, 2.5, 3.5, 0.5, 1.5, 2.5]
    assert np.flatnonzero(store.terminated).tolist() == [3, 6]
    np.testing.assert_allclose(store.episode(1).obs, encoder.encode(images(4, 1)).numpy(), atol=1e-5)


def test_frames_with_actions_become_an_episode_store(encoder, tmp_path):
    with FrameWriter(tmp_path / "frames") as writer:
        writer.add_episode(images(3), act=np.array([4, 5, 0]))
    store = encode_dataset(writer.store, encoder, tmp_path / "out", progress=False).to_episode_store()
    assert store.obs.dtype == np.float32
    assert store.act.tolist() == [4, 5]
    assert store.rew.tolist() == [0, 0]
    assert store.truncated.tolist() == [False, True]
    bare = encode_dataset(images(3), encoder, tmp_path / "bare", progress=False)
    with pytest.raises(ValueError, match="frames without actions"):
        bare.to_episode_store()


@pytest.mark.parametrize("dedup", [True, False])
def test_an_interrupted_run_resumes_with_equal_files(encoder, store, tmp_path, monkeypatch, dedup):
    options = {"batch_size": 3, "dedup": dedup, "progress": False}
    encode_dataset(store, encoder, tmp_path / "whole", **options)
    with monkeypatch.context() as patch:
        Counting(encoder, patch, fail_at=4)
        with pytest.raises(KeyboardInterrupt):
            encode_dataset(store, encoder, tmp_path / "out", **options)
    with pytest.raises(ValueError, match=r"unfinished: 9 of 14 frames"):
        load_encoded(tmp_path / "out")
    count = Counting(encoder, monkeypatch)
    encode_dataset(store, encoder, tmp_path / "out", **options)
    assert count.calls == 2
    same_files(tmp_path / "whole", tmp_path / "out")
    encode_dataset(store, encoder, tmp_path / "out", **options)  # finished: nothing is done again
    assert count.calls == 2


def test_a_killed_process_resumes(store, tmp_path):
    code = (
        "import os, sys; sys.path.insert(0, sys.argv[3])\n"
        "from test_encode import make_encoder, encode_dataset\n"
        "encoder, calls = make_encoder(), []\n"
        "real = encoder.encode\n"
        "encoder.encode = lambda *a: calls.append(1) or (os._exit(9) if len(calls) > 2 else real(*a))\n"
        "encode_dataset(sys.argv[1], encoder, sys.argv[2], batch_size=4, progress=False)"
    )
    arguments = [str(store.folder), str(tmp_path / "out"), str(Path(__file__).parent)]
    assert subprocess.run([sys.executable, "-c", code, *arguments]).returncode == 9
    torch.set_num_threads(1)
    encode_dataset(store, make_encoder(), tmp_path / "out", batch_size=4, progress=False)
    encode_dataset(store, make_encoder(), tmp_path / "whole", batch_size=4, progress=False)
    same_files(tmp_path / "whole", tmp_path / "out")


def interrupted(encoder, store, folder, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        Counting(encoder, patch, fail_at=3)
        with pytest.raises(KeyboardInterrupt):
            encode_dataset(store, encoder, folder, batch_size=4, progress=False)


def test_resuming_with_other_settings_is_an_error(encoder, store, tmp_path, monkeypatch):
    out = tmp_path / "out"
    interrupted(encoder, store, out, monkeypatch)
    with pytest.raises(
        ValueError, match=r"begun with dtype 'float16' \(now 'float32'\), batch_size 4 \(now 5\)"
    ):
        encode_dataset(store, encoder, out, dtype="float32", batch_size=5, progress=False)
    with pytest.raises(ValueError, match=r"another encoder than `encoder`: weights"):
        encode_dataset(store, make_encoder(seed=1), out, batch_size=4, progress=False)
    changed = frames_with_repeats()
    changed[1] += 1
    with FrameWriter(tmp_path / "elsewhere" / "frames") as writer:
        for first, length in ((0, 5), (5, 1), (6, 8)):
            writer.add_episode(changed[first : first + length])
    with pytest.raises(ValueError, match="other frames: 'frames' has changed"):
        encode_dataset(writer.store, encoder, out, batch_size=4, progress=False)
    again = encode_dataset(writer.store, encoder, out, batch_size=4, resume=False, progress=False)
    np.testing.assert_allclose(again.features, encoder.encode(changed).numpy(), atol=2e-3)


@pytest.mark.parametrize("dedup", [True, False])
def test_changed_frames_are_detected_on_resume(encoder, tmp_path, monkeypatch, dedup):
    out, options = tmp_path / "out", {"batch_size": 4, "dedup": dedup, "progress": False}
    with monkeypatch.context() as patch:
        Counting(encoder, patch, fail_at=3)
        with pytest.raises(KeyboardInterrupt):
            encode_dataset(images(14), encoder, out, **options)
    with pytest.raises(ValueError, match="begun with other frames: 'array' has changed"):
        encode_dataset(images(14, seed=1), encoder, out, **options)


@pytest.mark.parametrize("dedup", [True, False])
@pytest.mark.parametrize("resume", [True, False])
def test_a_finished_folder_of_other_frames_is_refused(encoder, tmp_path, monkeypatch, dedup, resume):
    out, frames = tmp_path / "out", images(5)
    first = encode_dataset(frames, encoder, out, dedup=dedup, progress=False)
    changed = frames.copy()
    changed[-1, -1, -1, -1] += 1
    for other in (images(5, seed=1), changed, frames.reshape(5, 40, 30, 3)):
        with pytest.raises(ValueError, match=r"made from other frames: 'array' has changed.*another folder"):
            encode_dataset(other, encoder, out, dedup=dedup, resume=resume, progress=False)
    count = Counting(encoder, monkeypatch)
    again = encode_dataset(frames, encoder, out, batch_size=2, resume=resume, progress=False)
    np.testing.assert_array_equal(again.features, first.features)
    assert count.calls == 0  # the frames are only read and compared


def test_a_finished_folder_of_other_actions_is_refused(encoder, tmp_path):
    stores = []
    for name, act in (("a", [1, 2, 0]), ("b", [2, 1, 0])):
        with FrameWriter(tmp_path / name / "frames") as writer:
            writer.add_episode(images(3), act=np.array(act))
        stores.append(writer.store)
    encode_dataset(stores[0], encoder, tmp_path / "out", progress=False)
    with pytest.raises(ValueError, match=r"made from other steps: `act` of 'frames' has changed"):
        encode_dataset(stores[1], encoder, tmp_path / "out", progress=False)


@pytest.mark.usefixtures("minari_root")
def test_another_camera_is_refused(encoder, tmp_path, monkeypatch):
    two_cameras("toy/two-v0")
    options = {"batch_size": 2, "progress": False}
    with monkeypatch.context() as patch:
        Counting(encoder, patch, fail_at=2)
        with pytest.raises(KeyboardInterrupt):
            encode_dataset("toy/two-v0", encoder, tmp_path / "out", obs_keys=["left"], **options)
    with pytest.raises(ValueError, match=r"begun with obs_keys \['left'\] \(now \['right'\]\)"):
        encode_dataset("toy/two-v0", encoder, tmp_path / "out", obs_keys=["right"], **options)
    encode_dataset("toy/two-v0", encoder, tmp_path / "out", obs_keys=("left",), **options)
    with pytest.raises(ValueError, match=r"from obs_keys=\['left'\] .* from obs_keys=\['right'\] in"):
        encode_dataset("toy/two-v0", encoder, tmp_path / "out", obs_keys=["right"], **options)


def test_a_finished_folder_is_not_written_over(encoder, store, tmp_path):
    encode_dataset(store, encoder, tmp_path / "out", progress=False)
    with pytest.raises(
        ValueError, match=r"`folder` must be new. .* 14 frames of 'frames' in float16. Received 3"
    ):
        encode_dataset(images(3), encoder, tmp_path / "out", progress=False)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").touch()
    with pytest.raises(ValueError, match="`folder` must be new, empty or unfinished"):
        encode_dataset(store, encoder, tmp_path / "full", progress=False)


@pytest.mark.parametrize(
    ("other", "part"),
    [
        ({"seed": 1}, "weights: "),
        ({"resize": "pad"}, "preprocess: resize is 'squash' here and 'pad' there"),
        ({"readout": "mean"}, "readout: name is 'cls' here and 'mean' there"),
        ({"model_id": "impala-cnn"}, "spec: model_id is 'nature-cnn' here and 'impala-cnn' there; weights"),
    ],
)
def test_another_encoder_is_an_error_that_names_the_difference(encoder, tmp_path, other, part):
    encode_dataset(images(2), encoder, tmp_path / "out", progress=False)
    assert load_encoded(tmp_path / "out", encoder).fingerprint.difference(encoder.fingerprint()) == ()
    with pytest.raises(ValueError, match=f"another encoder than `encoder`: {re.escape(part)}"):
        load_encoded(tmp_path / "out", make_encoder(**other))


def test_another_version_is_named(encoder, tmp_path):
    encode_dataset(images(2), encoder, tmp_path / "out", progress=False)
    path = tmp_path / "out" / "fingerprint.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": 0}))
    with pytest.raises(ValueError, match="another encoder than `encoder`: version: 0 here and"):
        load_encoded(tmp_path / "out", encoder)


def change_index(folder, **entries) -> None:
    np.save(folder.parent / "secret.npy", np.zeros(8))
    path = folder / "index.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | entries))


@pytest.mark.parametrize(
    "damage",
    [
        lambda folder: (folder / "features.npy").unlink(),
        lambda folder: (folder / "features.npy").write_bytes((folder / "features.npy").read_bytes()[:-8]),
        lambda folder: (folder / "act.npy").unlink(),
        lambda folder: np.save(folder / "rew.npy", np.zeros(3)),
        lambda folder: (folder / "fingerprint.json").write_text("{}"),
        lambda folder: (folder / "fingerprint.json").unlink(),
        lambda folder: (folder / "index.json").write_text("[]"),
        lambda folder: (folder / "index.json").write_text("{}"),
        partial(change_index, steps=["../secret"]),
        partial(change_index, steps=["features"]),
        partial(change_index, steps="act"),
        partial(change_index, lengths=[2**62] * 4 + [11], steps=[]),
        partial(change_index, lengths=[5.5, 5.5]),
        partial(change_index, lengths=[12, -1]),
    ],
)
def test_damage_is_one_clear_error(encoder, store, tmp_path, damage):
    encode_dataset(store, encoder, tmp_path / "out", progress=False)
    damage(tmp_path / "out")
    with pytest.raises(ValueError, match=r"encoded data set in .*out is damaged .* encode again"):
        load_encoded(tmp_path / "out")


@pytest.mark.parametrize("done", [-4, 5, 4.0, "4", 10**20])
def test_damaged_progress_is_one_clear_error(encoder, store, tmp_path, monkeypatch, done):
    interrupted(encoder, store, tmp_path / "out", monkeypatch)
    path = tmp_path / "out" / "progress.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"done": done}))
    with pytest.raises(ValueError, match=r"damaged .*done=.* encode again"):
        encode_dataset(store, encoder, tmp_path / "out", batch_size=4, progress=False)


def test_a_lost_file_of_an_unfinished_run_is_one_clear_error(encoder, store, tmp_path, monkeypatch):
    interrupted(encoder, store, tmp_path / "out", monkeypatch)
    (tmp_path / "out" / "features.npy").unlink()
    with pytest.raises(ValueError, match=r"damaged .* encode again"):
        encode_dataset(store, encoder, tmp_path / "out", batch_size=4, progress=False)


@pytest.mark.usefixtures("minari_root")
def test_missing_and_wrong_sources(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    out = tmp_path / "out"
    with pytest.raises(
        FileNotFoundError, match=r"`source` must be a folder .* Received 'toy/images-v7'.*download"
    ):
        encode_dataset("toy/images-v7", encoder, out)
    with pytest.raises(
        FileNotFoundError, match=r"`source` .* no folder; as a data set: `dataset_id` must be"
    ):
        encode_dataset("no such thing", encoder, out)
    with pytest.raises(FileNotFoundError, match=r"has no index\.json"):
        encode_dataset(tmp_path, encoder, out)
    with pytest.raises(ValueError, match=r"`source` must hold images .* Received float64 of shape \(5, 3\)"):
        encode_dataset(np.zeros((5, 3)), encoder, out)
    with pytest.raises(ValueError, match="`obs_keys` selects from Minari"):
        encode_dataset(images(2), encoder, out, obs_keys=["camera"])
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        encode_dataset(images(2), encoder, out, batch_size=0)
    with pytest.raises(ValueError, match="`dtype` must be"):
        encode_dataset(images(2), encoder, out, dtype="int8")
    with pytest.raises(FileNotFoundError, match="which is no folder"):
        load_encoded(out)
    assert not out.exists()


@pytest.mark.usefixtures("minari_root")
@pytest.mark.parametrize(
    ("keys", "message"),
    [
        (
            None,
            r"`obs_keys` must name one image.*there are 2 uint8 images among \['left', 'right', 'speed'\]",
        ),
        (
            ["speed"],
            r"`source` must hold images.*Received float32 of shape \(3, 2\) from obs_keys=\['speed'\]",
        ),
        (["top"], r"`keys` must name leaves of the observation: \['left', 'right', 'speed'\]"),
    ],
)
def test_observations_that_are_no_single_image(encoder, tmp_path, keys, message):
    two_cameras("toy/two-v0")
    with pytest.raises(ValueError, match=message):
        encode_dataset("toy/two-v0", encoder, tmp_path / "out", obs_keys=keys, progress=False)
    right = encode_dataset("toy/two-v0", encoder, tmp_path / "right", obs_keys=["right"], progress=False)
    np.testing.assert_allclose(right.features, encoder.encode(images(3, 1)).numpy(), atol=2e-3)


def test_values_that_float16_cannot_hold_are_refused(encoder, tmp_path, monkeypatch):
    monkeypatch.setattr(encoder, "encode", lambda frames, previous: torch.full((len(frames), 512), 1e6))
    with pytest.raises(ValueError, match=r"finite in `dtype` float16. .*use float32"):
        encode_dataset(images(2), encoder, tmp_path / "out", progress=False)
    encode_dataset(images(2), encoder, tmp_path / "wide", dtype="float32", progress=False)
