"""Environments with images for observations, from Dict observations and frame stacks."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.envs.make import make_env


class Cameras(gym.Env):
    """Shows a dictionary; it cannot draw, and has no `render_mode`."""

    action_space = gym.spaces.Discrete(2)

    def __init__(self, shapes: dict[str, tuple[int, ...]]) -> None:
        images = {name: gym.spaces.Box(0, 255, shape, np.uint8) for name, shape in shapes.items()}
        speed = gym.spaces.Box(0, 255, (2,), np.float32)
        self.observation_space = gym.spaces.Dict({"speed": speed, "eyes": gym.spaces.Dict(images)})

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.observation_space.seed(3)
        self.shown = self.observation_space.sample()
        return self.shown, {}

    def step(self, action):
        return self.shown, 0.0, False, False, {}


@pytest.fixture
def cameras():
    def register(*shapes: tuple[int, ...]) -> None:
        eyes = dict(zip(("left", "right"), shapes, strict=False))
        gym.register("Cameras-v0", Cameras, kwargs={"shapes": eyes})

    yield register
    del gym.registry["Cameras-v0"]


@pytest.mark.parametrize(
    ("shape", "frame"),
    [
        ((20, 24, 3), lambda image: image),
        ((20, 24), lambda image: image[..., None]),
        ((5, 20, 24), lambda image: image[4, ..., None]),  # the last of a stack
    ],
)
def test_the_one_image_of_a_dictionary_is_taken(cameras, shape, frame):
    cameras(shape)
    env = make_env("Cameras-v0", image_size=(8, 8))
    obs, _ = env.reset(seed=0)
    assert np.array_equal(obs, frame(env.unwrapped.shown["eyes"]["left"]))
    assert env.observation_space.contains(obs)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        (
            [(20, 24, 3), (20, 24)],
            "`env` must have one image .* Received 'Cameras-v0', which has eyes/left, e",
        ),
        (
            [(128,)],
            '`env` must have an image in its observation, or be made with render_mode="rgb_array".*takes no',
        ),
        ([(20, 24, 4)], r"`env` must have images of 1 or 3 channels.* Received 'Cameras-v0'.*20, 24, 4"),
        ([(3, 20, 24)], r"[Ss]everal layouts fit: \"CHW\" .1 RGB frame. or \"THW\" .3 gray frames."),
    ],
)
def test_environments_that_cannot_be_seen(cameras, shapes, message):
    cameras(*shapes)
    with pytest.raises(ValueError, match=message):
        make_env("Cameras-v0", image_size=(8, 8))
