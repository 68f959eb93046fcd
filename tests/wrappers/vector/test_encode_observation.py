"""VectorEncodeObservation: encodings by definition in each autoreset mode, in one forward pass a step."""

import gc
import os
import weakref
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ClosedEnvironmentError
from gymnasium.vector import AsyncVectorEnv, AutoresetMode, SyncVectorEnv
from gymnasium.vector.utils import batch_space
from noise_env import SIZE, Forwards, NoiseEnv, assert_close, by_definition, small_encoder

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.wrappers import EncodeObservation, PixelObservation, VectorEncodeObservation

# From Python 3.12 on, AsyncVectorEnv's fork warns where torch has threads; its workers run no torch here.
forking = pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")

MODES = list(AutoresetMode)
KINDS = [SyncVectorEnv, pytest.param(AsyncVectorEnv, marks=forking)]
N = 3
LEAVES = {"HWC": [()], "dict": [("front",), ("hand", "camera")]}


def at(obs: Any, path: tuple[str, ...]) -> Any:
    for key in path:
        obs = obs[key]
    return obs


class Reference:
    """One environment stepped by hand: all its frames of this episode, and what they should look like."""

    def __init__(self, env: NoiseEnv, encoder: ImageEncoder, stack: int, fuse: str) -> None:
        self.env, self.encoder, self.stack, self.fuse = env, encoder, stack, fuse
        self.episode: list[Any] = []

    def reset(self, seed: int | None = None) -> None:
        self.episode = [self.env.reset(seed=seed)[0]]

    def step(self) -> bool:
        obs, _, terminated, truncated, _ = self.env.step(0)
        self.episode.append(obs)
        return bool(terminated or truncated)

    def observation(self) -> list[np.ndarray]:
        return [
            by_definition(self.encoder, [at(obs, path) for obs in self.episode], self.stack, self.fuse)
            for path in LEAVES[self.env.show]
        ]


def check_by_definition(
    envs: VectorEncodeObservation, references: list[Reference], forwards: Forwards, steps: int = 25
) -> int:
    """Step both with the same seeds; returns how many episodes ended."""
    mode = envs.metadata["autoreset_mode"]
    leaves = LEAVES[references[0].env.show]
    obs, _ = envs.reset(seed=7)
    for i, reference in enumerate(references):
        reference.reset(seed=7 + i)
    done, ended = np.zeros(N, bool), 0
    forwards.images.clear()
    for _ in range(steps):
        for i, reference in enumerate(references):
            for path, expected in zip(leaves, reference.observation(), strict=True):
                assert_close(at(obs, path)[i], expected)
        assert envs.observation_space.contains(obs)
        obs, _, terminated, truncated, info = envs.step(np.zeros(N, np.int64))
        finals = 0
        for i, reference in enumerate(references):
            if mode == AutoresetMode.NEXT_STEP and done[i]:
                reference.reset()
                done[i] = False
                continue
            done[i] = reference.step()
            assert done[i] == (terminated[i] or truncated[i])
            if mode == AutoresetMode.SAME_STEP and done[i]:
                for path, expected in zip(leaves, reference.observation(), strict=True):
                    assert_close(at(info["final_obs"][i], path), expected)
                assert envs.single_observation_space.contains(info["final_obs"][i])
                reference.reset()
                finals += 1
        if mode == AutoresetMode.SAME_STEP:
            assert ("final_obs" in info) == done.any()
            if done.any():
                np.testing.assert_array_equal(info["_final_obs"], done)
                assert [one is None for one in info["final_obs"]] == (~done).tolist()
        # One forward pass a step, for all environments, cameras and final observations.
        assert forwards.images == [(N + finals) * len(leaves)]
        forwards.images.clear()
        ended += int(done.sum())
        if mode == AutoresetMode.DISABLED and done.any():
            obs, _ = envs.reset(options={"reset_mask": done.copy()})
            for i in np.flatnonzero(done):
                references[i].reset()
            assert forwards.images == [int(done.sum()) * len(leaves)]
            forwards.images.clear()
    return ended


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("kind", "show", "stack", "fuse"),
    [
        (SyncVectorEnv, "HWC", 1, "concat"),
        (SyncVectorEnv, "HWC", 3, "flare"),
        (SyncVectorEnv, "dict", 2, "stack"),
        pytest.param(AsyncVectorEnv, "dict", 3, "concat", marks=forking),
    ],
)
def test_each_observation_by_definition(
    kind: Callable[..., Any], show: str, stack: int, fuse: str, mode: AutoresetMode
) -> None:
    encoder = small_encoder()
    envs = kind([lambda: NoiseEnv(show)] * N, autoreset_mode=mode)
    envs = VectorEncodeObservation(envs, encoder, stack=stack, fuse=fuse)
    references = [Reference(NoiseEnv(show), small_encoder(), stack, fuse) for _ in range(N)]
    assert check_by_definition(envs, references, Forwards(encoder)) > 5
    envs.close()


@pytest.mark.parametrize("mode", MODES)
def test_memory_that_the_environment_shares(mode: AutoresetMode) -> None:
    encoder = small_encoder()
    envs = SyncVectorEnv([NoiseEnv] * N, autoreset_mode=mode, copy=False)
    envs = VectorEncodeObservation(envs, encoder, stack=2)
    references = [Reference(NoiseEnv(), small_encoder(), 2, "concat") for _ in range(N)]
    assert check_by_definition(envs, references, Forwards(encoder)) > 5


@pytest.mark.parametrize(("readout", "cache"), [("cls", "frame"), ("crops(1,2)", "crop")])
@pytest.mark.parametrize("mode", MODES)
def test_with_a_cache_nothing_changes(readout: str, cache: str, mode: AutoresetMode) -> None:
    options = {"weights": "none", "device": "cpu", "input_size": (SIZE, SIZE), "readout": readout, "stack": 2}
    cached, plain = (
        VectorEncodeObservation(
            SyncVectorEnv([lambda: NoiseEnv("dict", few=4)] * N, autoreset_mode=mode),
            "nature-cnn",
            cache=kept,
            **options,
        )
        for kept in (cache, None)
    )
    done = np.zeros(N, bool)
    for step in range(12):
        if step == 0:
            a, b = cached.reset(seed=1)[0], plain.reset(seed=1)[0]
        elif mode == AutoresetMode.DISABLED and done.any():
            a, b = (envs.reset(options={"reset_mask": done.copy()})[0] for envs in (cached, plain))
            done[:] = False
        else:
            (a, *one), (b, *other) = (envs.step(np.zeros(N, np.int64)) for envs in (cached, plain))
            done = one[1] | one[2]
            for row in np.flatnonzero(done) if mode == AutoresetMode.SAME_STEP else ():
                finals = [result[3]["final_obs"][row]["front"] for result in (one, other)]
                np.testing.assert_allclose(*finals, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(a["front"], b["front"], rtol=1e-5, atol=1e-6)
    assert cached.observation_encoder.frame_encoder.stats.hit_rate > 0.5


def test_motion_is_that_of_the_row() -> None:
    encoder = small_encoder(readout="topk-crops(2)")
    envs = SyncVectorEnv([NoiseEnv] * N, autoreset_mode=AutoresetMode.SAME_STEP)
    envs = VectorEncodeObservation(envs, encoder)
    raw = [NoiseEnv() for _ in range(N)]
    before = [env.reset(seed=i)[0] for i, env in enumerate(raw)]
    envs.reset(seed=0)
    for _ in range(8):
        obs, *_, info = envs.step(np.zeros(N, np.int64))
        for i, env in enumerate(raw):
            frame, _, terminated, truncated, _ = env.step(0)
            received = obs[i]
            if terminated or truncated:
                received = info["final_obs"][i]
                assert_close(obs[i], encoder.encode((first := env.reset()[0])[None])[0])
            assert_close(received, encoder.encode(frame[None], before[i][None])[0])
            before[i] = first if terminated or truncated else frame


def test_the_childs_arrays_are_left_alone() -> None:
    inner = SyncVectorEnv([NoiseEnv] * N, autoreset_mode=AutoresetMode.SAME_STEP)
    infos: list[dict[str, Any]] = []
    step = inner.step

    def listening(actions: np.ndarray) -> Any:
        result = step(actions)
        infos.append(result[4])
        return result

    inner.step = listening
    envs = VectorEncodeObservation(inner, small_encoder(), keep_pixels=True)
    envs.reset(seed=0)
    while not (infos and "final_obs" in infos[-1]):
        info = envs.step(np.zeros(N, np.int64))[4]
    (row, *_) = np.flatnonzero(infos[-1]["_final_obs"])
    assert infos[-1]["final_obs"][row].shape == NoiseEnv().observation_space.shape
    final = info["final_obs"][row]
    np.testing.assert_array_equal(final["pixels"], infos[-1]["final_obs"][row])
    assert final["encoded"].shape == (512,)


def test_a_mask_also_resets_rows_that_are_not_done() -> None:
    encoder = small_encoder()
    envs = VectorEncodeObservation(SyncVectorEnv([NoiseEnv] * N), encoder, stack=2)
    references = [Reference(NoiseEnv(), encoder, 2, "concat") for _ in range(N)]
    envs.reset(seed=0)
    for i, reference in enumerate(references):
        reference.reset(seed=i)
    done = np.zeros(N, bool)
    while not done.any() or done.all():
        _, _, terminated, truncated, _ = envs.step(np.zeros(N, np.int64))
        for i in np.flatnonzero(~done):
            references[i].step()
        done = terminated | truncated
    mask = np.zeros(N, bool)
    mask[np.flatnonzero(done)[0]] = mask[np.flatnonzero(~done)[0]] = True
    obs, _ = envs.reset(options={"reset_mask": mask.copy()})
    for i in np.flatnonzero(mask):
        references[i].reset()
    for received, reference in zip(obs, references, strict=True):
        assert_close(received, reference.observation()[0])
    obs, *_ = envs.step(np.zeros(N, np.int64))
    for i, reference in enumerate(references):
        reference.reset() if done[i] and not mask[i] else reference.step()
        assert_close(obs[i], reference.observation()[0])


def test_spaces_types_and_devices() -> None:
    single = NoiseEnv("dict").observation_space
    make = lambda: SyncVectorEnv([lambda: NoiseEnv("dict")] * N)  # noqa: E731
    envs = VectorEncodeObservation(
        make(), small_encoder(), obs_keys=["front"], dtype="float16", keep_pixels=True
    )
    expected = gym.spaces.Dict(
        {
            **single,
            "front": gym.spaces.Box(-np.inf, np.inf, (512,), np.float16),
            "front_pixels": single["front"],
        }
    )
    assert envs.single_observation_space == expected
    assert envs.observation_space == batch_space(expected, N)
    obs, _ = envs.reset(seed=0)
    assert envs.observation_space.contains(obs)
    tensors = VectorEncodeObservation(make(), small_encoder(), obs_keys=["front"], output="torch").reset(
        seed=0
    )[0]
    assert isinstance(tensors["front"], torch.Tensor)
    np.testing.assert_allclose(tensors["front"], obs["front"], rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(tensors["mode"], obs["mode"])


@pytest.mark.parametrize("kind", ["sync", pytest.param("async", marks=forking)])
def test_make_vec(kind: str) -> None:
    gym.register("rlpriors-test/Noise-v1", entry_point="noise_env:NoiseEnv")
    try:
        encoder = small_encoder()
        unwrapped = gym.make_vec("rlpriors-test/Noise-v1", num_envs=2, vectorization_mode=kind)
        envs = VectorEncodeObservation(unwrapped, encoder, stack=2)
        singles = [EncodeObservation(gym.make("rlpriors-test/Noise-v1"), encoder, stack=2) for _ in range(2)]
        obs, _ = envs.reset(seed=3)
        assert_close(obs, np.stack([single.reset(seed=3 + i)[0] for i, single in enumerate(singles)]))
        obs, *_ = envs.step(np.zeros(2, np.int64))
        assert_close(obs, np.stack([single.step(0)[0] for single in singles]))
        envs.close()
    finally:
        del gym.registry["rlpriors-test/Noise-v1"]


def test_closing_lets_go_of_the_encoder() -> None:
    options = {"weights": "none", "device": "cpu", "input_size": (SIZE, SIZE)}
    envs = VectorEncodeObservation(SyncVectorEnv([NoiseEnv] * N), "nature-cnn", **options)
    envs.reset(seed=0)
    gone = weakref.ref(envs.observation_encoder.encoder)
    envs.close()
    gc.collect()
    assert gone() is None
    with pytest.raises(ClosedEnvironmentError):
        envs.observation_encoder.read(np.arange(N))


# Real environments


@pytest.mark.parametrize("mode", [AutoresetMode.NEXT_STEP, AutoresetMode.SAME_STEP])
def test_ales_own_vector_environment(mode: AutoresetMode) -> None:
    vector_env = pytest.importorskip("ale_py.vector_env", reason="ale_py (extra `atari`) is not installed")
    # Episodes of ten steps; the other environment's mode must not speak for this one (see Autoreset).
    make = lambda mode, **options: vector_env.AtariVectorEnv(  # noqa: E731
        "breakout", 2, autoreset_mode=mode, max_num_frames_per_episode=40, noop_max=3, **options
    )
    raw = make(mode, stack_num=4)
    envs, stacked = make(mode, stack_num=1), make(mode, stack_num=4)
    make(AutoresetMode.SAME_STEP if mode == AutoresetMode.NEXT_STEP else AutoresetMode.NEXT_STEP)
    own = VectorEncodeObservation(envs, small_encoder(), stack=4)
    stacked = VectorEncodeObservation(stacked, small_encoder(), cache="frame")
    assert own.observation_space.shape == stacked.observation_space.shape == (2, 2048)
    frames = raw.reset(seed=1)[0]
    encoder = small_encoder()

    def encoded(frames: np.ndarray) -> np.ndarray:
        color = np.repeat(frames[..., None], 3, -1)
        return np.concatenate([encoder.encode(color[:, t]) for t in range(4)], 1)

    received, also = own.reset(seed=1)[0], stacked.reset(seed=1)[0]
    ended = 0
    for _ in range(25):
        assert_close(also, encoded(frames))
        actions = np.full(2, 3)
        frames, *_, truncated, raw_info = raw.step(actions)
        received, *_, info = own.step(actions)
        also, *_, infos = stacked.step(actions)
        assert_close(received[:, -512:], encoded(frames)[:, -512:])  # ALE pads first stacks with black
        if mode == AutoresetMode.SAME_STEP and truncated.any():
            for row in np.flatnonzero(truncated):
                expected = encoded(raw_info["final_obs"][row][None])[0]
                assert_close(infos["final_obs"][row], expected)
                assert_close(info["final_obs"][row], expected)
        ended += int(truncated.sum())
    assert ended >= 4
    assert stacked.observation_encoder.frame_encoder.stats.hit_rate > 0.5
    with pytest.raises(ValueError, match=r"must return all its 2 environments.*returns 1 of them"):
        VectorEncodeObservation(make(mode, batch_size=1), small_encoder())


def test_atari_by_make_vec() -> None:
    ale_py = pytest.importorskip("ale_py", reason="ale_py (extra `atari`) is not installed")
    gym.register_envs(ale_py)
    envs = gym.make_vec("ALE/Pong-v5", num_envs=2, grayscale=False, stack_num=1)
    envs = VectorEncodeObservation(envs, small_encoder(), stack=2)
    obs, _ = envs.reset(seed=0)
    assert obs.shape == (2, 1024)
    obs = envs.step(np.zeros(2, np.int64))[0]
    assert envs.observation_space.contains(obs)
    envs.close()


@pytest.mark.skipif(os.environ.get("MUJOCO_GL") == "disable", reason="no EGL on this machine")
def test_mujoco_pixels_in_processes() -> None:
    def make() -> gym.Env[Any, Any]:
        env = gym.make("InvertedPendulum-v5", render_mode="rgb_array")
        return PixelObservation(env, 48, 48, keep_state=True)

    # Spawned: a forked worker hangs in EGL when its parent has rendered before.
    envs = VectorEncodeObservation(AsyncVectorEnv([make], context="spawn"), small_encoder(), stack=2)
    envs.reset(seed=0)
    obs, *_ = envs.step(np.zeros((1, 1), np.float32))
    assert envs.observation_space.contains(obs)
    assert obs["pixels"].shape == (1, 1024)
    envs.close()


# What it refuses


def test_what_it_refuses() -> None:
    envs = SyncVectorEnv([NoiseEnv])
    envs.metadata = {}
    with pytest.raises(ValueError, match=r"autoreset_mode.* must be a gymnasium.vector.AutoresetMode.*None"):
        VectorEncodeObservation(envs, small_encoder())
    with pytest.raises(ValueError, match="must hold an image"):
        VectorEncodeObservation(gym.make_vec("CartPole-v1", num_envs=2), small_encoder())


@pytest.mark.cuda
def test_on_cuda_the_numbers_are_the_same(cuda_device: str) -> None:
    received = []
    for device in ("cpu", cuda_device):
        envs = SyncVectorEnv([NoiseEnv] * N, autoreset_mode=AutoresetMode.SAME_STEP)
        envs = VectorEncodeObservation(envs, small_encoder(device=device), stack=3, fuse="flare")
        envs.reset(seed=0)
        received.append(np.stack([envs.step(np.zeros(N, np.int64))[0] for _ in range(10)]))
    np.testing.assert_allclose(*received, rtol=1e-2, atol=1e-3)
