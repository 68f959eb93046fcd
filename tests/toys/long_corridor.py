"""Corridor that is longer than a window of plans, and the ends of episodes in it."""

from typing import Any

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv


class LongCorridor(gym.Env[Any, Any]):
    """Point that starts at 0 and moves by a tenth of its action; the goal lies at 2, 20 steps away."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.at, self.time = np.zeros(1, np.float32), 0
        return self.at.copy(), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.at, self.time = self.at + 0.1 * action.astype(np.float32), self.time + 1
        return self.at.copy(), 0.0, False, self.time >= 60, {}


def last_positions(policy: Policy) -> list[float]:
    """Return the positions at the ends of four episodes of the policy."""
    envs = DummyVectorEnv([LongCorridor for _ in range(4)])
    buffer = VectorReplayBuffer(400, 4)
    Collector(policy, envs, buffer).collect(n_episode=4, reset_before_collect=True)
    ends: list[float] = buffer.obs_next[buffer.done].flatten().tolist()
    return ends
