"""A policy whose skill is the direction of its steps, in a walk whose rewards count the steps."""

from typing import Any

import gymnasium as gym
import numpy as np


class Compass:
    """Skill policy that walks in the direction of the skill, and records its batches."""

    skill_dim = 2

    def __init__(self) -> None:
        self.batches: list[int] = []

    def act_by(self, obs: Any, skill: np.ndarray) -> np.ndarray:
        rows = obs["xy"] if isinstance(obs, dict) else obs
        assert np.ndim(rows) == 2
        self.batches.append(len(rows))
        return (skill / np.sqrt(2)).astype(np.float32)


class CountedWalk(gym.Env):
    """Moves by the action; the reward is the number of the step; ends after `length` steps."""

    def __init__(self, length: int = 7, *, as_dict: bool = False, terminates: bool = True) -> None:
        box = gym.spaces.Box(-99, 99, (2,), np.float32)
        self.observation_space = gym.spaces.Dict({"xy": box}) if as_dict else box
        self.action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
        self.length, self.as_dict, self.terminates = length, as_dict, terminates

    def _obs(self) -> Any:
        return {"xy": self.xy.copy()} if self.as_dict else self.xy.copy()

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.xy, self.time = np.zeros(2, np.float32), 0
        return self._obs(), {"time": 0}

    def step(self, action):
        self.xy = self.xy + action
        self.time += 1
        ended = self.time >= self.length
        flags = (ended and self.terminates, ended and not self.terminates)
        return self._obs(), float(self.time), *flags, {"time": self.time}
