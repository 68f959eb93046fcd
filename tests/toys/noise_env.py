"""Environment with noise images, and reference encodings, for the tests of the encode wrappers."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
from torch import nn

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.load import load_encoder

SIZE = 44  # small, but a NatureCNN's map still has 2x2 cells


def assert_close(a: Any, b: Any) -> None:
    np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


class NoiseEnv(gym.Env[Any, int]):
    """Noise images that depend on the seed; terminates at random, is truncated after six steps.

    `show` names what an observation is: one image in some order of axes, or a "dict" of two cameras of
    different sizes (one of them gray and nested) and a state.  With `few`, there are only that many
    different images.
    """

    def __init__(self, show: str = "HWC", few: int | None = None) -> None:
        def box(*shape: int) -> gym.spaces.Box:
            return gym.spaces.Box(0, 255, shape, np.uint8)

        self.show, self.few = show, few
        sizes = {"H": SIZE + 4, "W": SIZE + 2, "C": 3, "T": 2}
        if show == "dict":
            self.observation_space = gym.spaces.Dict(
                {
                    "front": box(SIZE + 4, SIZE + 2, 3),
                    "hand": gym.spaces.Dict(
                        {"camera": box(SIZE, SIZE), "force": gym.spaces.Box(-9, 9, (2,))}
                    ),
                    "mode": gym.spaces.Discrete(7),
                }
            )
        else:
            self.observation_space = box(*(sizes[axis] for axis in show))
        self.action_space = gym.spaces.Discrete(2)

    def observe(self) -> Any:
        if self.show == "dict":
            return {
                "front": self.noise(self.observation_space["front"].shape),
                "hand": {
                    "camera": self.noise((SIZE, SIZE)),
                    "force": np.full(2, self.time, np.float32),
                },
                "mode": self.time % 7,
            }
        return self.noise(self.observation_space.shape)

    def noise(self, shape: tuple[int, ...]) -> np.ndarray:
        rng = self.np_random if self.few is None else np.random.default_rng(self.np_random.integers(self.few))
        return rng.integers(0, 256, shape, np.uint8)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.observe(), {}

    def step(self, action):
        self.time += 1
        terminated = bool(self.np_random.random() < 0.15)
        return self.observe(), 1.0, terminated, not terminated and self.time >= 6, {}


def small_encoder(**options: Any) -> ImageEncoder:
    """Return a NatureCNN with random weights, equal at each call."""
    settings = {"weights": "none", "device": "cpu", "input_size": (SIZE, SIZE), **options}
    return load_encoder("nature-cnn", **settings)


class Forwards:
    """Counter of the forward passes of an encoder's network and of the images in each."""

    def __init__(self, encoder: ImageEncoder) -> None:
        self.images: list[int] = []
        encoder.backbone.register_forward_hook(self.count)

    def count(self, module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        self.images.append(len(inputs[0]))


def alone(encoder: ImageEncoder, frame: np.ndarray) -> np.ndarray:
    """Return the encoding of one frame [height, width, channels] or [height, width] in its own batch."""
    color = frame if frame.ndim == 3 else np.stack([frame] * 3, -1)
    return encoder.encode(color[None])[0].numpy()


def by_definition(
    encoder: ImageEncoder, episode: Sequence[np.ndarray], stack: int, how: str = "concat"
) -> np.ndarray:
    """Return the observation after these frames of an episode: the last `stack`, each encoded alone."""
    padded = [episode[0]] * stack + list(episode)
    z = [alone(encoder, frame) for frame in padded[-stack:]]
    if stack == 1:
        return z[0]
    if how == "stack":
        return np.stack(z)
    if how == "flare":
        z = [z[-1], *(later - earlier for earlier, later in pairwise(z))]
    return np.concatenate(z)
