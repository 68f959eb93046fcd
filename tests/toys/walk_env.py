"""Two-dimensional random walk, and a reward that records its batch sizes."""

from typing import Any

import gymnasium as gym
import numpy as np


class WalkEnv(gym.Env[Any, np.ndarray]):
    """Random walk with the action as drift; terminates far from 0, is truncated after nine steps."""

    def __init__(self, as_dict: bool = False) -> None:
        box = gym.spaces.Box(-99, 99, (2,), np.float64)
        self.as_dict = as_dict
        self.observation_space = gym.spaces.Dict({"xy": box, "far": box}) if as_dict else box
        self.action_space = gym.spaces.Box(-1, 1, (2,))

    def observe(self) -> Any:
        return {"xy": self.xy.copy(), "far": -self.xy} if self.as_dict else self.xy.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.xy, self.time = self.np_random.normal(size=2), 0
        return self.observe(), {}

    def step(self, action):
        self.xy, self.time = self.xy + action + self.np_random.normal(size=2), self.time + 1
        terminated = bool(np.abs(self.xy).max() > 3)
        return self.observe(), float(self.xy[0]), terminated, not terminated and self.time >= 9, {}


class CountingReward:
    """Reward that depends on all four inputs and records the size of each batch."""

    def __init__(self) -> None:
        self.batches: list[int] = []

    def __call__(self, obs, act, obs_next, terminated):
        self.batches.append(len(obs))
        return obs.sum(1) + 10 * act.sum(1) - 3 * obs_next[:, 0] + 100 * terminated
