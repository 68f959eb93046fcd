"""EncodeObservation: encodings by definition, Gymnasium's acceptance checks, real runs, refusals."""

import copy
import gc
import os
import pickle
import re
import weakref
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import ClosedEnvironmentError
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match
from gymnasium.wrappers import AtariPreprocessing, FrameStackObservation
from jaxtyping import config
from noise_env import SIZE, Forwards, NoiseEnv, alone, assert_close, by_definition, small_encoder

from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features
from rlpriors.wrappers import EncodeObservation, PixelObservation

# check_env speaks through warnings: that the environment is wrapped, that bounds are infinite, ...
quiet_checker = pytest.mark.filterwarnings("ignore::UserWarning")
drawing = pytest.mark.skipif(os.environ.get("MUJOCO_GL") == "disable", reason="no EGL on this machine")

SMALL: dict[str, Any] = {"weights": "none", "device": "cpu", "input_size": [SIZE, SIZE]}


@pytest.fixture
def registered() -> Any:
    gym.register("rlpriors-test/Noise-v0", entry_point="noise_env:NoiseEnv")
    yield "rlpriors-test/Noise-v0"
    del gym.registry["rlpriors-test/Noise-v0"]


# Numbers


@pytest.mark.parametrize(("stack", "fuse"), [(1, "concat"), (2, "concat"), (3, "flare"), (3, "stack")])
def test_each_observation_by_definition(stack: int, fuse: str) -> None:
    encoder, raw = small_encoder(), NoiseEnv()
    env = EncodeObservation(NoiseEnv(), encoder, stack=stack, fuse=fuse)
    reference, forwards = small_encoder(), Forwards(encoder)
    obs, frames = env.reset(seed=5)[0], [raw.reset(seed=5)[0]]
    ended = 0
    for _ in range(12):
        assert_close(obs, by_definition(reference, frames, stack, fuse))
        assert env.observation_space.contains(obs)
        assert forwards.images.pop() == 1  # each frame once, however many are shown
        obs, _, terminated, truncated, _ = env.step(0)
        frames.append(raw.step(0)[0])
        if terminated or truncated:
            assert_close(obs, by_definition(reference, frames, stack, fuse))
            forwards.images.pop()
            obs, frames, ended = env.reset()[0], [raw.reset()[0]], ended + 1
    assert ended >= 1


@pytest.mark.parametrize(
    ("show", "layout", "axes"),
    [
        ("HWC", None, "HWC"),
        ("CHW", "CHW", "HWC"),
        ("HW", None, "HW"),
        ("WHC", "WHC", "HWC"),
        ("THW", None, "THW"),
        ("HWT", "HWT", "THW"),
        ("THWC", None, "THWC"),
        ("TCHW", None, "THWC"),
    ],
)
def test_axes_in_any_order(show: str, layout: str | None, axes: str) -> None:
    encoder = small_encoder()
    env = EncodeObservation(NoiseEnv(show), encoder, layout=layout)
    raw = NoiseEnv(show).reset(seed=0)[0].transpose([show.index(axis) for axis in axes])
    frames = raw if "T" in axes else [raw]
    assert_close(env.reset(seed=0)[0], np.concatenate([alone(encoder, frame) for frame in frames]))
    assert env.observation_space.shape == (512 * len(frames),)


@pytest.mark.parametrize(("fuse", "shape"), [("concat", (1024,)), ("stack", (2, 512))])
def test_stacks_of_the_environment_are_fused(fuse: str, shape: tuple[int, ...]) -> None:
    encoder = small_encoder()
    stacked = EncodeObservation(FrameStackObservation(NoiseEnv("HW"), 2), encoder, fuse=fuse)
    own = EncodeObservation(NoiseEnv("HW"), encoder, stack=2, fuse=fuse)
    assert stacked.observation_space.shape == own.observation_space.shape == shape
    assert_close(stacked.reset(seed=1)[0], own.reset(seed=1)[0])
    for _ in range(4):
        assert_close(stacked.step(0)[0], own.step(0)[0])


def test_a_dict_of_cameras_is_one_forward_and_the_rest_passes() -> None:
    encoder, raw = small_encoder(), NoiseEnv("dict")
    forwards = Forwards(encoder)
    env = EncodeObservation(NoiseEnv("dict"), encoder, stack=2)
    env.reset(seed=2)
    first = raw.reset(seed=2)[0]
    obs, later = env.step(0)[0], raw.step(0)[0]
    assert forwards.images == [2, 2]
    assert_close(obs["front"], by_definition(encoder, [first["front"], later["front"]], 2))
    frames = [first["hand"]["camera"], later["hand"]["camera"]]
    assert_close(obs["hand"]["camera"], by_definition(encoder, frames, 2))
    assert obs["mode"] == later["mode"]
    np.testing.assert_array_equal(obs["hand"]["force"], later["hand"]["force"])
    assert env.observation_space.contains(obs)
    assert env.observation_space["hand"]["force"] == raw.observation_space["hand"]["force"]


def test_chosen_cameras_and_their_pixels() -> None:
    encoder = small_encoder()
    env = EncodeObservation(NoiseEnv("dict"), encoder, obs_keys=["hand/camera"], keep_pixels=True)
    obs, raw = env.reset(seed=2)[0], NoiseEnv("dict").reset(seed=2)[0]
    assert sorted(obs["hand"]) == ["camera", "camera_pixels", "force"]
    np.testing.assert_array_equal(obs["hand"]["camera_pixels"], raw["hand"]["camera"])
    np.testing.assert_array_equal(obs["front"], raw["front"])
    assert obs["hand"]["camera"].shape == (512,)
    assert env.observation_space.contains(obs)


def test_an_image_alone_may_keep_its_pixels() -> None:
    env = EncodeObservation(NoiseEnv(), small_encoder(), keep_pixels=True)
    obs = env.reset(seed=2)[0]
    np.testing.assert_array_equal(obs["pixels"], NoiseEnv().reset(seed=2)[0])
    assert obs["encoded"].shape == (512,)
    assert env.observation_space.contains(obs)


@pytest.mark.parametrize("show", ["HWC", "dict"])
@pytest.mark.parametrize(
    ("readout", "cache"),
    [("cls", "frame"), ("cls", 2), ("crops(1,2)", "crop"), ("crops(1,2)", "frame"), ("crops(1,2)", 3)],
)
def test_with_a_cache_nothing_changes(show: str, readout: str, cache: Any) -> None:
    cached, plain = (
        EncodeObservation(NoiseEnv(show, few=4), "nature-cnn", readout=readout, stack=2, cache=kept, **SMALL)
        for kept in (cache, None)
    )
    for step in range(20):
        a, b = (env.step(0)[0] if step % 7 else env.reset(seed=step)[0] for env in (cached, plain))
        for one, other in [(a, b)] if show == "HWC" else [(a[k], b[k]) for k in ("front", "mode")]:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    stats = cached.observation_encoder.frame_encoder.stats
    assert stats.hits > 0
    assert plain.observation_encoder.frame_encoder.stats is None


@pytest.mark.parametrize("readout", ["topk-crops(2)", "motion-mask(flow)"])
@pytest.mark.parametrize("cache", [None, "crop"])
def test_readouts_of_motion_get_the_frame_before(readout: str, cache: str | None) -> None:
    encoder = small_encoder(readout=readout)
    env = EncodeObservation(NoiseEnv(), encoder, cache=cache)
    raw = NoiseEnv()
    before = raw.reset(seed=4)[0]
    assert_close(env.reset(seed=4)[0], encoder.encode(before[None])[0])
    for _ in range(4):
        frame = raw.step(0)[0]
        assert_close(env.step(0)[0], encoder.encode(frame[None], before[None])[0])
        before = frame
    moved = encoder.encode(frame[None], NoiseEnv().reset(seed=9)[0][None])[0]
    assert not np.allclose(moved, encoder.encode(frame[None])[0], atol=1e-4)


def test_an_encoder_of_clips_takes_a_stack_as_one() -> None:
    class Change(Backbone):
        def forward(self, x: torch.Tensor) -> Features:
            return Features(global_=(x[:, 1] - x[:, 0]).mean((2, 3)), tokens=None, maps=None)

    spec = EncoderSpec("change", "network", "change", "mit", input_size=(8, 8), frames=2)
    encoder = ImageEncoder(spec, Change(), device="cpu")
    env = EncodeObservation(NoiseEnv("THWC"), encoder)
    clip = NoiseEnv("THWC").reset(seed=0)[0]
    assert env.observation_space.shape == (3,)
    assert_close(env.reset(seed=0)[0], encoder.encode(clip[None])[0])
    gray = EncodeObservation(NoiseEnv("THW"), encoder).reset(seed=0)[0]
    assert_close(gray, encoder.encode(np.stack([NoiseEnv("THW").reset(seed=0)[0]] * 3, -1)[None])[0])
    still = EncodeObservation(NoiseEnv(), encoder, stack=2).reset(seed=0)[0]  # single frames are still clips
    assert_close(still, np.zeros(6))
    with pytest.raises(ValueError, match=r"'change' reads the observation as clips of 2 frames.*'frame'"):
        EncodeObservation(NoiseEnv("THWC"), encoder, cache="frame")


def test_tensors_and_halves() -> None:
    encoder = small_encoder()
    expected = EncodeObservation(NoiseEnv(), encoder).reset(seed=0)[0]
    tensor = EncodeObservation(NoiseEnv(), encoder, output="torch").reset(seed=0)[0]
    assert isinstance(tensor, torch.Tensor)
    assert not tensor.is_inference()
    assert_close(tensor, expected)
    env = EncodeObservation(NoiseEnv(), encoder, dtype="float16")
    half = env.reset(seed=0)[0]
    assert half.dtype == np.float16
    assert env.observation_space.contains(half)
    np.testing.assert_allclose(half, expected, rtol=1e-3, atol=1e-4)


def test_what_a_half_cannot_hold_becomes_the_largest_that_it_can() -> None:
    class Bright(Backbone):
        def forward(self, x: torch.Tensor) -> Features:
            return Features(global_=1e9 * (x.mean((2, 3)) - 0.5), tokens=None, maps=None)

    spec = EncoderSpec(
        "bright", "network", "bright", "mit", input_size=(4, 4), mean=(0.0,) * 3, std=(1.0,) * 3
    )
    env = EncodeObservation(NoiseEnv(), ImageEncoder(spec, Bright(), device="cpu"), dtype="float16")
    assert set(np.abs(env.reset(seed=0)[0]).tolist()) == {65504.0}


def test_observations_are_in_memory_of_their_own() -> None:
    env = EncodeObservation(NoiseEnv(), small_encoder(), stack=2)
    first = env.reset(seed=0)[0]
    kept = first.copy()
    second = env.step(0)[0]
    np.testing.assert_array_equal(first, kept)
    second[:] = 0
    assert np.abs(env.step(0)[0]).max() > 0


# Frozen, shared, closed


def test_the_encoder_stays_frozen_after_train() -> None:
    class Normed(Backbone):
        def __init__(self) -> None:
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(3)

        def forward(self, x: torch.Tensor) -> Features:
            return Features(global_=self.norm(x).amax((2, 3)), tokens=None, maps=None)

    spec = EncoderSpec("normed", "network", "normed", "mit", input_size=(8, 8))
    encoder = ImageEncoder(spec, Normed(), device="cpu")
    env = EncodeObservation(NoiseEnv(), encoder)
    expected = env.reset(seed=0)[0]
    encoder.train()
    torch.nn.Sequential(encoder).train()
    assert_close(env.reset(seed=0)[0], expected)
    encoder.backbone.train()
    assert_close(env.reset(seed=0)[0], expected)
    assert encoder.backbone.norm.num_batches_tracked == 0
    encoder.unfreeze()
    with pytest.raises(ValueError, match=r"`encoder` must be frozen.*call its `freeze\(\)`"):
        env.reset()


def test_an_encoder_that_learns_is_refused() -> None:
    encoder = small_encoder()
    encoder.backbone.requires_grad_(True)  # its flag `frozen` stays set, as in an EncoderNetwork
    with pytest.raises(ValueError, match=r"`encoder` must not be trainable.*backbone.*EncoderNetwork"):
        EncodeObservation(NoiseEnv(), encoder)


def test_an_encoder_is_shared_not_copied() -> None:
    encoder = small_encoder()
    env = EncodeObservation(NoiseEnv(), encoder)
    assert env.observation_encoder.encoder is encoder


def test_closing_releases_the_encoder() -> None:
    env = EncodeObservation(NoiseEnv(), "nature-cnn", stack=2, cache="frame", **SMALL)
    env.reset(seed=0)
    gone = weakref.ref(env.observation_encoder.encoder)
    env.close()
    env.close()
    gc.collect()
    assert gone() is None
    with pytest.raises(ClosedEnvironmentError, match="This wrapper is closed"):
        env.reset()


# Gymnasium's acceptance checks


@quiet_checker
@pytest.mark.parametrize("show", ["HWC", "dict"])
def test_check_env(registered: str, show: str) -> None:
    env = EncodeObservation(gym.make(registered, show=show), "nature-cnn", stack=2, **SMALL)
    check_env(env, skip_render_check=True)


@pytest.mark.parametrize("options", [{}, {"show": "dict", "keys": ("front",)}])
def test_the_spec_goes_through_json(registered: str, options: dict[str, Any]) -> None:
    keys = options.pop("keys", None)
    env = EncodeObservation(
        gym.make(registered, **options), "nature-cnn", readout="grid(2)", stack=2, obs_keys=keys, **SMALL
    )
    assert env.spec is not None
    spec = EnvSpec.from_json(env.spec.to_json())
    assert spec == env.spec
    again = gym.make(spec)
    assert isinstance(again, EncodeObservation)
    check_environments_match(env, again, 10)


def test_a_saved_encoder_in_a_spec(registered: str, tmp_path: Path) -> None:
    folder = small_encoder(readout="mean").save(tmp_path / "encoder")
    env = EncodeObservation(gym.make(registered), folder, device="cpu")
    assert env.observation_space.shape == (64,)  # the saved readout
    again = gym.make(EnvSpec.from_json(env.spec.to_json()))
    assert_close(env.reset(seed=0)[0], again.reset(seed=0)[0])
    other = EncodeObservation(gym.make(registered), str(folder), readout="cls", device="cpu")
    assert other.observation_space.shape == (512,)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda env: pickle.loads(pickle.dumps(env))])
def test_copies_continue_equally(clone: Any) -> None:
    env = EncodeObservation(NoiseEnv(), "nature-cnn", stack=3, cache="frame", **SMALL)
    env.reset(seed=3)
    env.step(0)
    other = clone(env)
    for _ in range(4):
        np.testing.assert_allclose(env.step(0)[0], other.step(0)[0], rtol=1e-5, atol=1e-6)


def test_an_id_can_have_the_wrapper_baked_in(registered: str) -> None:
    wrapper = EncodeObservation.wrapper_spec(encoder="nature-cnn", **SMALL)
    gym.register("rlpriors-test/Encoded-v0", entry_point="noise_env:NoiseEnv", additional_wrappers=(wrapper,))
    try:
        expected = EncodeObservation(gym.make(registered), "nature-cnn", **SMALL).reset(seed=0)[0]
        assert_close(gym.make("rlpriors-test/Encoded-v0").reset(seed=0)[0], expected)
    finally:
        del gym.registry["rlpriors-test/Encoded-v0"]


# Fingerprints


def test_a_fingerprint_requires_the_encoder_of_stored_data(tmp_path: Path) -> None:
    frames = np.stack([NoiseEnv().reset(seed=i)[0] for i in range(4)])
    encode_dataset = pytest.importorskip("rlpriors.encoders.dataset.encode").encode_dataset
    data = encode_dataset(frames, small_encoder(), tmp_path / "data", dtype="float32", progress=False)
    env = EncodeObservation(NoiseEnv(), "nature-cnn", fingerprint=tmp_path / "data", **SMALL)
    for i in range(4):
        assert_close(env.reset(seed=i)[0], data.features[i])
    theirs = small_encoder().fingerprint().as_dict()
    EncodeObservation(NoiseEnv(), small_encoder(), fingerprint=theirs)
    message = "`fingerprint` must be this encoder's, but weights differ from the given one: weights: '"
    with pytest.raises(ValueError, match=message):
        EncodeObservation(NoiseEnv(), small_encoder(seed=1), fingerprint=theirs)
    other = small_encoder(readout="mean", resize="pad")
    with pytest.raises(ValueError, match=r"preprocess and readout differ from .*: resize is 'pad' here"):
        EncodeObservation(NoiseEnv(), other, fingerprint=str(tmp_path / "data"))
    with pytest.raises(FileNotFoundError, match="`fingerprint` must be a folder that encode_dataset wrote"):
        EncodeObservation(NoiseEnv(), small_encoder(), fingerprint=str(tmp_path / "nowhere"))


# Real environments


def test_atari() -> None:
    ale_py = pytest.importorskip("ale_py", reason="ale_py (the extra `atari`) is not installed")
    gym.register_envs(ale_py)
    env = EncodeObservation(gym.make("ALE/Pong-v5"), "nature-cnn", weights="none", device="cpu")
    gray = FrameStackObservation(AtariPreprocessing(gym.make("PongNoFrameskip-v4")), 4)
    gray = EncodeObservation(gray, "nature-cnn", weights="none", device="cpu", cache="frame")
    for one, size in ((env, 512), (gray, 2048)):
        obs = [one.reset(seed=0)[0], *(one.step(one.action_space.sample())[0] for _ in range(20))]
        assert all(o.shape == (size,) and one.observation_space.contains(o) for o in obs)
        assert len(np.unique(np.stack(obs), axis=0)) > 10
        one.close()
    assert gray.observation_encoder.frame_encoder is None


@drawing
def test_mujoco_pixels() -> None:
    env = PixelObservation(gym.make("HalfCheetah-v5", render_mode="rgb_array"), 64, 64)
    env = EncodeObservation(env, "impala-cnn", weights="none", device="cpu", stack=3)
    first = env.reset(seed=0)[0]
    obs = [first, *(env.step(env.action_space.sample())[0] for _ in range(5))]
    assert first.shape == (768,)
    np.testing.assert_array_equal(first[:256], first[512:])
    np.testing.assert_array_equal(obs[5][:512], obs[4][256:])
    assert len(np.unique(np.stack(obs), axis=0)) == 6
    env.close()


@drawing
@pytest.mark.parametrize("name", ["FetchReach-v4", "AntMaze_UMaze-v5"])
def test_dict_environments(name: str) -> None:
    robotics = pytest.importorskip("gymnasium_robotics")
    gym.register_envs(robotics)
    plain = gym.make(name, render_mode="rgb_array")
    env = PixelObservation(plain, 64, 64, keep_state=True)
    env = EncodeObservation(env, "nature-cnn", weights="none", device="cpu", readout="spatial-softmax")
    env.reset(seed=0)
    obs = env.step(env.action_space.sample())[0]
    assert env.observation_space.contains(obs)
    assert obs["pixels"].shape == (128,)
    assert sorted(obs["state"]) == ["achieved_goal", "desired_goal", "observation"]
    env.close()


# Errors


class Odd(gym.Env[Any, int]):
    def __init__(self, space: gym.Space[Any], obs: Any = None) -> None:
        self.observation_space, self.action_space = space, gym.spaces.Discrete(2)
        self.obs = np.zeros((48, 48, 3), np.float32) if obs is None else obs

    def reset(self, *, seed=None, options=None):
        return self.obs, {}


def image(*shape: int, dtype: Any = np.uint8, high: float = 255) -> gym.spaces.Box:
    return gym.spaces.Box(0, high, shape, dtype)


CAMERAS = gym.spaces.Dict({"eye": image(48, 48, 3), "eye_pixels": image(2), "speed": image(2)})


@pytest.mark.parametrize(
    ("space", "options", "error", "message"),
    [
        (gym.spaces.Box(-1, 1, (4,)), {}, ValueError, r"must hold an image.*PixelObservation adds"),
        (gym.spaces.Discrete(3), {}, ValueError, r"must hold an image.*Received Discrete\(3\)"),
        (CAMERAS, {"obs_keys": ["speed"]}, ValueError, r"'speed' must be an image.*name only image leaves"),
        (
            CAMERAS,
            {"obs_keys": ["ear"]},
            ValueError,
            r"`obs_keys` must name leaves.*'speed'\]. Received \['ear'\]",
        ),
        (
            CAMERAS,
            {"obs_keys": "eye"},
            ValueError,
            r"`obs_keys` must be a sequence of strings or None. Received 'eye'; pass \['eye'\]",
        ),
        (CAMERAS, {"obs_keys": []}, ValueError, "must hold an image"),
        (CAMERAS, {"keep_pixels": True}, ValueError, r"`keep_pixels` needs the name 'eye_pixels'"),
        (
            image(48, 48, 3),
            {"obs_keys": ["eye"]},
            ValueError,
            "must be None unless.*for a Box; remove `obs_keys`",
        ),
        (
            gym.spaces.Dict({"eye": image(48, 48, 3, dtype=np.int32, high=1000)}),
            {"obs_keys": ["eye"]},
            ValueError,
            r"'eye' must be a Box of integers in 0..255, or of floats.*Received int32 in \[0, 1000\]",
        ),
        (
            image(48, 48, 3),
            {"layout": "CHW"},
            ValueError,
            "must have 3 or 1 channels for this encoder. Rec.* 48",
        ),
        (
            image(48, 48, 4),
            {},
            ValueError,
            r'layouts fit: "HWA" \(1 RGBA frame\) or "HWT" \(4 gray frames\)',
        ),
        (image(3, 48, 3), {}, ValueError, r'layouts fit: "HWC" \(1 RGB frame\) or "CHW"'),
        (
            CAMERAS,
            {"layout": {"ear": "HWC"}},
            ValueError,
            r"`layout` must map names of images.*\['eye'\]. Received the names \['ear'\]",
        ),
        (
            gym.spaces.Tuple((image(48, 48, 3),)),
            {"keep_pixels": True},
            ValueError,
            "`keep_pixels` needs a Dict",
        ),
        (image(48, 48, 3), {"layout": "hwc"}, ValueError, "`layout` must name each axis.*Received 'hwc'"),
        (image(48, 48), {"layout": "HWC"}, ValueError, "`layout` must name all 2 axes. Received 'HWC'"),
        (
            image(4, 48, 48),
            {"stack": 2, "layout": "THW"},
            ValueError,
            r"`stack` must be 1 if the observation is already a stack",
        ),
        (image(48, 48, 3), {"stack": 0}, ValueError, "`stack` must be at least 1.*Received 0"),
        (image(48, 48, 3), {"fuse": "sum"}, ValueError, r"`fuse` must be one of.*Received 'sum'"),
        (image(48, 48, 3), {"output": "jax"}, ValueError, r"`output` must be one of.*Received 'jax'"),
        (image(48, 48, 3), {"dtype": "int8"}, ValueError, r"`dtype` must be one of.*Received 'int8'"),
        (image(48, 48, 3), {"cache": "all"}, ValueError, r"`cache` must be one of.*or None. Received 'all'"),
        (image(48, 48, 3), {"cache": 0}, ValueError, r"`cache` must be None.*Received 0"),
        (image(48, 48, 3), {"device": "abacus"}, ValueError, "`device` must be"),
        (
            image(48, 48, 3),
            {"cache": "frame", "readout": "topk-crops(2)"},
            ValueError,
            r"`cache` must be \"crop\" for the readout",
        ),
    ],
)
def test_invalid_options_are_named(
    space: gym.Space[Any],
    options: dict[str, Any],
    error: type[Exception],
    message: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(error, match=message):
        EncodeObservation(Odd(space), "nature-cnn", **{**SMALL, **options})


def test_invalid_encoders_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(TypeError, match=r"`encoder` must be a name.*Received a Linear"):
        EncodeObservation(NoiseEnv(), torch.nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"nature-cnm.*[Dd]id you mean .nature-cnn"):
        EncodeObservation(NoiseEnv(), "nature-cnm", **SMALL)
    message = r"are set: readout='mean', weights='none'. Received an ImageEncoder, which is loaded already"
    with pytest.raises(ValueError, match=message):
        EncodeObservation(NoiseEnv(), small_encoder(), readout="mean", weights="none")


def test_floats_are_images_only_by_name_and_not_in_a_cache() -> None:
    space = gym.spaces.Dict({"eye": image(48, 48, 3, dtype=np.float32, high=1)})
    with pytest.raises(ValueError, match="must hold an image"):
        EncodeObservation(Odd(space), "nature-cnn", **SMALL)
    with pytest.raises(
        ValueError, match=r"`cache` finds images by their bytes and needs integers, but .*'eye' is float32"
    ):
        EncodeObservation(Odd(space), "nature-cnn", obs_keys=["eye"], cache="frame", **SMALL)
    env = EncodeObservation(
        Odd(space, {"eye": np.full((48, 48, 3), 0.5, np.float32)}), "nature-cnn", obs_keys=["eye"], **SMALL
    )
    assert env.observation_space.contains(env.reset()[0])


@pytest.mark.parametrize(
    ("dtype", "high", "value"),
    [(np.float32, 1, 0.2), (np.float32, 255, 51), (np.int32, 255, 51), (np.int64, 255, 51)],
)
@pytest.mark.parametrize("in_dict", [False, True])
def test_other_data_types_are_read_by_the_declared_range(
    dtype: Any, high: float, value: float, in_dict: bool
) -> None:
    encoder, pixels = small_encoder(), np.full((48, 48, 3), value, dtype)
    space, obs, keys = image(48, 48, 3, dtype=dtype, high=high), pixels, None
    if in_dict:
        space, obs, keys = gym.spaces.Dict({"eye": space}), {"eye": pixels}, ["eye"]
    encoded = EncodeObservation(Odd(space, obs), encoder, obs_keys=keys).reset()[0]
    assert_close(encoded["eye"] if in_dict else encoded, alone(encoder, np.full((48, 48, 3), 51, np.uint8)))


def test_dark_floats_of_255_levels_stay_dark() -> None:
    encoder = small_encoder()
    obs = np.full((48, 48, 3), 0.9, np.float32)
    encoded = EncodeObservation(Odd(image(48, 48, 3, dtype=np.float32), obs), encoder).reset()[0]
    assert_close(encoded, encoder.encode(np.full((1, 48, 48, 3), 0.9 / 255, np.float32))[0])


def test_alpha_is_dropped_and_merged_frames_are_separated() -> None:
    encoder = small_encoder()
    colors = np.random.default_rng(0).integers(0, 256, (3, 48, 46, 3), np.uint8)
    expected = np.concatenate([alone(encoder, frame) for frame in colors])
    first = colors.transpose(0, 3, 1, 2)  # frames, colors, height, width
    for obs, layout in [
        (first.reshape(9, 48, 46), "(TC)HW"),
        (first.transpose(1, 0, 2, 3).reshape(9, 48, 46), "(CT)HW"),
        (first.transpose(2, 3, 0, 1).reshape(48, 46, 9), "HW(TC)"),
        (first.transpose(2, 3, 1, 0), "HWCT"),
        (np.concatenate([colors, np.full((3, 48, 46, 1), 7, np.uint8)], -1), "THWA"),
    ]:
        env = EncodeObservation(Odd(image(*obs.shape), obs), encoder, layout=layout)
        assert_close(env.reset()[0], expected)


def test_a_layout_for_each_leaf() -> None:
    encoder = small_encoder()
    space = gym.spaces.Dict({"first": image(3, 48, 46), "last": image(48, 46, 3)})
    frame = np.random.default_rng(0).integers(0, 256, (48, 46, 3), np.uint8)
    env = Odd(space, {"first": frame.transpose(2, 0, 1), "last": frame})
    encoded = EncodeObservation(env, encoder, layout={"first": "CHW"}).reset()[0]
    assert_close(encoded["first"], alone(encoder, frame))
    assert_close(encoded["last"], alone(encoder, frame))


def test_frames_of_three_gray_images_are_no_colors() -> None:
    encoder = small_encoder()
    stacked = EncodeObservation(FrameStackObservation(NoiseEnv("HW"), 3), encoder)
    own = EncodeObservation(NoiseEnv("HW"), encoder, stack=3)
    assert_close(stacked.reset(seed=1)[0], own.reset(seed=1)[0])
    assert_close(stacked.step(0)[0], own.step(0)[0])


@pytest.mark.parametrize(
    ("space", "obs", "path"),
    [
        (gym.spaces.Dict({0: image(48, 48, 3)}), lambda frame: {0: frame}, (0,)),
        (
            gym.spaces.Dict({"a/b": image(48, 48, 3), "a": gym.spaces.Dict(b=image(2))}),
            lambda frame: {"a/b": frame, "a": {"b": np.zeros(2, np.uint8)}},
            ("a/b",),
        ),
        (gym.spaces.Tuple((image(48, 48, 3), image(2))), lambda frame: (frame, np.zeros(2, np.uint8)), (0,)),
    ],
)
def test_trees_with_any_keys(space: Any, obs: Any, path: tuple[Any, ...]) -> None:
    encoder, frame = small_encoder(), np.full((48, 48, 3), 51, np.uint8)
    env = EncodeObservation(Odd(space, obs(frame)), encoder)
    encoded = env.reset()[0]
    assert env.observation_space.contains(encoded)
    assert_close(encoded[path[0]], alone(encoder, frame))


def test_a_name_of_two_leaves_is_refused() -> None:
    space = gym.spaces.Dict({"a/b": image(48, 48, 3), "a": gym.spaces.Dict(b=image(48, 48, 3))})
    assert EncodeObservation(Odd(space), small_encoder()).observation_space["a/b"].shape == (512,)
    with pytest.raises(ValueError, match=r"`obs_keys` must name one leaf each. Received 'a/b', which names"):
        EncodeObservation(Odd(space), small_encoder(), obs_keys=["a/b"])
    nested = EncodeObservation(Odd(gym.spaces.Dict({1: image(48, 48, 3)})), small_encoder(), obs_keys=["1"])
    assert nested.observation_space[1].shape == (512,)


def test_an_observation_outside_of_its_space_is_refused() -> None:
    env = EncodeObservation(Odd(image(48, 48, 3)), "nature-cnn", **SMALL)
    message = re.escape("space, uint8 (48, 48, 3). Received float32 (48, 48, 3)")
    with pytest.raises(ValueError, match=message):
        env.reset()


@pytest.mark.cuda
def test_on_cuda_the_numbers_are_the_same(cuda_device: str) -> None:
    options = {**SMALL, "stack": 2, "cache": "crop", "readout": "crops(1,2)"}
    received = []
    for device in ("cpu", cuda_device):
        env = EncodeObservation(NoiseEnv("dict"), "nature-cnn", **{**options, "device": device})
        obs = [env.reset(seed=0)[0], *(env.step(0)[0] for _ in range(5))]
        received.append(np.stack([o["front"] for o in obs]))
        env.close()
    np.testing.assert_allclose(*received, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("change", ["readout", "weights", "weights in place"])
def test_an_encoder_that_was_changed_is_noticed(change: str) -> None:
    encoder = small_encoder()
    env = EncodeObservation(NoiseEnv(), encoder, cache="frame")
    env.reset(seed=0)
    if change == "readout":
        encoder.set_readout("max")
    elif change == "weights":
        encoder.load_state_dict(encoder.state_dict())
    else:
        with torch.no_grad():
            next(encoder.backbone.parameters()).mul_(2)
    with pytest.raises(ValueError, match="Wrap the environment again"):
        env.step(env.action_space.sample())
    env = EncodeObservation(NoiseEnv(), encoder, cache="frame")
    assert env.observation_space.contains(env.reset(seed=0)[0])
