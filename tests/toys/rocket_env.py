"""Rocket with four engines switched one at a time (Discrete actions), which hovers at a hidden height.

`Rocket`       environment "rocket_env:Rocket-v0"
`fly`          scripted expert
"""

from typing import Any

import gymnasium as gym
import numpy as np

STEPS = 100
GOAL = np.array([0.5, 1.0])
GRAVITY, THRUST, DT = 0.4, 1.0, 0.1


class Rocket(gym.Env[np.ndarray, Any]):
    """Position and velocity in the plane; the engine pushes up, left, right, or is off.

    The reward is minus the distance to a point above the ground; episodes have 100 steps.
    """

    observation_space = gym.spaces.Box(-10, 10, (4,), np.float32)
    action_space = gym.spaces.Discrete(4)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        place = self.np_random.uniform([-1.5, 0.0], [1.5, 2.0])
        self.state, self.steps = np.array([*place, 0.0, 0.0]), 0
        return self.state.astype(np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        push = np.array([[0, 0], [0, 1], [-1, 0], [1, 0]])[int(action)] * THRUST
        velocity = 0.98 * (self.state[2:] + DT * (push - [0, GRAVITY]))
        place = np.clip(self.state[:2] + DT * velocity, [-2, 0], [2, 3])
        velocity[place != self.state[:2] + DT * velocity] = 0  # walls and ground stop it
        self.state, self.steps = np.array([*place, *velocity]), self.steps + 1
        reward = -float(np.linalg.norm(place - GOAL))
        return self.state.astype(np.float32), reward, False, self.steps >= STEPS, {}


def fly(obs: np.ndarray) -> int:
    """Return the engine that reduces the largest error of position and velocity."""
    wish = GOAL - obs[:2] - 1.2 * obs[2:] + [0, 0.15]
    if wish[1] > abs(wish[0]) * 0.5 and wish[1] > 0:
        return 1
    if abs(wish[0]) > 0.1:
        return 3 if wish[0] > 0 else 2
    return 1 if wish[1] > 0 else 0


gym.register("Rocket-v0", "rocket_env:Rocket")
