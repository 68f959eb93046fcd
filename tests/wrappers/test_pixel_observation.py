"""PixelObservation: frames of any renderer in the requested size, and fast MuJoCo rendering."""

import copy
import os
import pickle
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.utils.env_checker import check_env
from gymnasium.utils.env_match import check_environments_match
from PIL import Image

from rlpriors.wrappers import PixelObservation

# check_env speaks through warnings: that the environment is wrapped, ...
quiet_checker = pytest.mark.filterwarnings("ignore::UserWarning")
drawing = pytest.mark.skipif(os.environ.get("MUJOCO_GL") == "disable", reason="no EGL on this machine")


class Painted(gym.Env[np.ndarray, int]):
    """Draws into one array that it keeps, a brighter one at each step; its state is the brightness."""

    metadata: ClassVar = {"render_modes": ["rgb_array"], "render_fps": 1}
    observation_space, action_space = gym.spaces.Discrete(256), gym.spaces.Discrete(2)

    def __init__(self, shape: tuple[int, ...] = (4, 6, 3), render_mode: str | None = "rgb_array") -> None:
        self.render_mode = render_mode
        self.canvas: Any = np.zeros(shape, np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.canvas[:] = 0
        return 0, {}

    def step(self, action):
        self.canvas += 10
        return int(self.canvas.flat[0]), 0.0, False, False, {}

    def render(self):
        return self.canvas


@pytest.fixture
def cheetah() -> Iterator[PixelObservation]:
    env = PixelObservation(gym.make("HalfCheetah-v5", render_mode="rgb_array"), 64, 64)
    yield env
    env.close()


def test_frames_are_copies_of_the_requested_size() -> None:
    env = PixelObservation(Painted(), 4, 6)
    first, _ = env.reset()
    second = env.step(0)[0]
    assert (first.max(), second.min(), second.max()) == (0, 10, 10)
    assert env.observation_space.contains(first)
    assert env.observation_space.contains(second)


def test_other_sizes_are_resized_as_pillow_does() -> None:
    env = Painted((40, 60, 3))
    env.reset()
    rng = np.random.default_rng(0)
    env.canvas += rng.integers(0, 255, env.canvas.shape, np.uint8)
    frame = PixelObservation(env, 15, 20).step(0)[0]
    full = Image.fromarray(env.render())
    np.testing.assert_array_equal(frame, np.asarray(full.resize((20, 15), Image.Resampling.BILINEAR)))


def test_the_state_may_stay_beside() -> None:
    env = PixelObservation(Painted(), 2, 3, keep_state=True)
    env.reset()
    obs = env.step(0)[0]
    assert obs["state"] == 10
    assert obs["pixels"].shape == (2, 3, 3)
    assert (obs["pixels"] == 10).all()
    assert env.observation_space.contains(obs)


def test_errors() -> None:
    with pytest.raises(
        ValueError, match=r'`env.render_mode` must be "rgb_array". Received None; create the env'
    ):
        PixelObservation(Painted(render_mode=None), 4, 4)
    with pytest.raises(ValueError, match=r"`height` and `width` must be at least 1. Received 0 and 4"):
        PixelObservation(Painted(), 0, 4)
    with pytest.raises(TypeError, match=r"uint8 frames \[height, width\], or.* Received uint8 \(4, 6, 2\)"):
        PixelObservation(Painted((4, 6, 2)), 4, 4).reset()
    env = Painted()
    env.canvas = [0]
    env.render = lambda: None
    env.reset = lambda **kwargs: (0, {})
    with pytest.raises(TypeError, match="Received NoneType"):
        PixelObservation(env, 4, 4).reset()


def test_no_screen_is_said_with_the_way_out() -> None:
    env = Painted()
    limits = SimpleNamespace(offwidth=640, offheight=480)
    model = SimpleNamespace(vis=SimpleNamespace(global_=limits, quality=SimpleNamespace()))
    env.mujoco_renderer = SimpleNamespace(viewer=None, model=model)

    def fail() -> None:
        raise ImportError("no GLX")

    env.render = fail
    with pytest.raises(RuntimeError, match=r"cannot render here: .*no GLX.*MUJOCO_GL to \"egl\""):
        PixelObservation(env, 4, 4).reset()


@quiet_checker
def test_check_env_spec_and_copies() -> None:
    gym.register("rlpriors-test/Painted-v0", entry_point=f"{__name__}:Painted")
    try:
        env = gym.make("rlpriors-test/Painted-v0", render_mode="rgb_array")
        env = PixelObservation(env, 20, 30, keep_state=True)
        check_env(env, skip_render_check=True)
        assert env.spec is not None
        spec = EnvSpec.from_json(env.spec.to_json())
        assert spec == env.spec
        check_environments_match(env, gym.make(spec), 5)
        for other in (copy.deepcopy(env), pickle.loads(pickle.dumps(env))):
            a, b = env.reset(seed=1)[0], other.reset(seed=1)[0]
            np.testing.assert_array_equal(a["pixels"], b["pixels"])
            np.testing.assert_array_equal(env.step(0)[0]["pixels"], other.step(0)[0]["pixels"])
    finally:
        del gym.registry["rlpriors-test/Painted-v0"]


@pytest.mark.parametrize("shape", [(4, 6), (4, 6, 1), (4, 6, 4)])
@pytest.mark.parametrize("size", [(4, 6), (2, 3)])
def test_gray_and_rgba_renders_become_colors(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    painted = Painted(shape)
    env = PixelObservation(painted, *size)
    env.reset()
    painted.canvas[:] = 10
    if shape[2:] == (4,):
        painted.canvas[..., 3] = 255  # opaque
    obs = env.observation(0)
    np.testing.assert_array_equal(obs, np.full((*size, 3), 10, np.uint8))
    assert env.observation_space.contains(obs)


@drawing
def test_mujoco_draws_at_the_size_and_much_faster(cheetah: PixelObservation) -> None:
    def seconds_a_frame(env: gym.Env[Any, Any], frames: int) -> float:
        env.reset(seed=0)
        start = time.perf_counter()
        for _ in range(frames):
            env.step(np.zeros(6, np.float32))
        return (time.perf_counter() - start) / frames

    slow = PixelObservation(gym.make("HalfCheetah-v5", render_mode="rgb_array"), 64, 64, fast=False)
    assert seconds_a_frame(cheetah, 20) < 0.5 * seconds_a_frame(slow, 4)  # measured: 370 and 10 a second
    renderer = cheetah.unwrapped.mujoco_renderer
    assert (renderer.width, renderer.height) == (64, 64)
    assert slow.step(np.zeros(6))[0].shape == (64, 64, 3)
    slow.close()


@drawing
def test_mujocos_first_frame_is_like_the_later_ones(cheetah: PixelObservation) -> None:
    first = cheetah.reset(seed=3)[0]
    np.testing.assert_array_equal(first, cheetah.reset(seed=3)[0])
    assert first.std() > 10
    assert first.flags.c_contiguous
    other = pickle.loads(pickle.dumps(cheetah))
    np.testing.assert_array_equal(first, other.reset(seed=3)[0])
    other.close()


@drawing
def test_mujoco_that_has_rendered_already_is_resized() -> None:
    env = gym.make("HalfCheetah-v5", render_mode="rgb_array", width=96, height=96)
    env.reset(seed=0)
    env.render()
    pixels = PixelObservation(env, 48, 48)
    assert pixels.reset(seed=0)[0].shape == (48, 48, 3)
    pixels.close()


@drawing
def test_larger_than_mujocos_buffer() -> None:
    env = PixelObservation(gym.make("InvertedPendulum-v5", render_mode="rgb_array"), 500, 700)
    assert env.reset(seed=0)[0].shape == (500, 700, 3)
    env.close()
