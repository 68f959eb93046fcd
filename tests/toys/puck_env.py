"""Puck on ice (Box actions, Dict observations), which comes to rest at a hidden place.

`Puck`    environment "puck_env:Puck-v0"
`push`    scripted expert
"""

from typing import Any

import gymnasium as gym
import numpy as np

STEPS = 80
GOAL = np.array([0.6, -0.4])


class Puck(gym.Env[dict[str, np.ndarray], Any]):
    """Position and velocity in a square, pushed by a force; the wind is observed and pushes too.

    The reward is minus the distance to a point; episodes have 80 steps.
    """

    observation_space = gym.spaces.Dict(
        position=gym.spaces.Box(-1, 1, (2,), np.float32),
        velocity=gym.spaces.Box(-2, 2, (2,), np.float32),
        wind=gym.spaces.Box(-1, 1, (1,), np.float32),
    )
    action_space = gym.spaces.Box(-2, 2, (2,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.velocity = self.np_random.uniform(-1, 1, 2), np.zeros(2)
        self.wind, self.steps = self.np_random.uniform(-0.3, 0.3), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        force = np.clip(action, -2, 2) + np.array([self.wind, 0])
        self.velocity = np.clip(0.9 * self.velocity + 0.1 * force, -2, 2)
        moved = self.place + 0.1 * self.velocity
        self.place, self.steps = np.clip(moved, -1, 1), self.steps + 1
        self.velocity[self.place != moved] = 0
        reward = -float(np.linalg.norm(self.place - GOAL))
        return self._observe(), reward, False, self.steps >= STEPS, {}

    def _observe(self) -> dict[str, np.ndarray]:
        parts = {"position": self.place, "velocity": self.velocity, "wind": [self.wind]}
        return {name: np.array(part, np.float32) for name, part in parts.items()}


def push(obs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the force of a damped spring to the hidden place."""
    force = 4 * (GOAL - obs["position"]) - 3 * obs["velocity"] - [obs["wind"][0], 0]
    return np.clip(force, -2, 2).astype(np.float32)


gym.register("Puck-v0", "puck_env:Puck")
