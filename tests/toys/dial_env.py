"""Environment without images that renders a dial as brightness."""

from typing import Any

import gymnasium as gym
import numpy as np


class Dial(gym.Env):
    """Shows how far a dial was turned, as brightness."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 30}  # noqa: RUF012 (gymnasium's own way)
    observation_space = gym.spaces.Box(-1, 1, (2,))

    def __init__(self, action_space: gym.Space[Any], render_mode: str | None = None) -> None:
        self.action_space, self.render_mode, self.light = action_space, render_mode, 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(2, "f"), {}

    def step(self, action):
        self.time += 1
        self.light = (self.light + 40) % 256
        return np.zeros(2, "f"), 1.0, self.time == 5, False, {}

    def render(self):
        frame = np.full((20, 24, 3), self.light, np.uint8)
        frame[: 2 * self.time] = 255
        return frame
