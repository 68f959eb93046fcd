"""Environments of a harbor, which a tester invented after those of `environments`, with scripted experts.

`Gantry`         Discrete actions: a trolley brings a hanging load to the middle of its rail
`Tug`            Box actions and Dict observations: a tug boat docks against the wind, which ends the episode
`HARBOR_TASKS`   environments and experts by name
"""

from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.own_data.cells import Task

__all__ = ["HARBOR_TASKS", "Gantry", "Tug"]

MODULE = "benchmarks.own_data.harbor"


class Gantry(gym.Env[np.ndarray, Any]):
    """Place and speed of a trolley in meters, angle and angular speed of its hanging load in radians.

    The winch has five powers, from full left to full right.  The reward is highest with the load at rest in
    the middle; episodes have 120 steps.
    """

    observation_space = gym.spaces.Box(
        np.array([-5, -4, -1.5, -4], np.float32), np.array([5, 4, 1.5, 4], np.float32)
    )
    action_space = gym.spaces.Discrete(5)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.state = np.array([self.np_random.uniform(-3, 3), 0, self.np_random.uniform(-0.2, 0.2), 0])
        self.steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        place, speed, angle, spin = self.state
        for _ in range(2):
            push = 2.0 * (int(action) - 2) - 0.8 * speed
            fall = -9.81 / 3 * np.sin(angle) - push / 3 * np.cos(angle) - 0.15 * spin
            speed, spin = speed + 0.05 * push, spin + 0.05 * fall
            place, angle = place + 0.05 * speed, angle + 0.05 * spin
            if abs(place) > 5:
                place, speed = 5 * np.sign(place), 0.0
        self.state = np.array([place, speed, angle, spin])
        self.steps += 1
        return self._observe(), -float(abs(place) + abs(angle)), False, self.steps >= 120, {}

    def _observe(self) -> np.ndarray:
        space = self.observation_space
        return np.clip(self.state, space.low, space.high).astype(np.float32)


def settle(obs: np.ndarray) -> int:
    """Return the winch's power for a trolley that slows down and follows its load."""
    place, speed, angle, spin = obs
    wish = -1.6 * place - 2.2 * speed + 3.0 * angle + 1.5 * spin
    return int(np.clip(round(float(wish) / 2) + 2, 0, 4))


class Tug(gym.Env[Any, Any]):
    """Place in meters, heading in radians and speeds of a tug boat, and the wind along the first axis.

    The actions are thrust in newtons and the torque of the rudder.  Each step costs 1; the episode ends at
    the berth, which is in the middle, or after 100 steps.
    """

    observation_space = gym.spaces.Dict(
        pose=gym.spaces.Box(-12, 12, (3,), np.float32),
        speed=gym.spaces.Box(-5, 5, (3,), np.float32),
        wind=gym.spaces.Box(-1, 1, (1,), np.float32),
    )
    action_space = gym.spaces.Box(np.array([-2, -0.6], np.float32), np.array([6, 0.6], np.float32))
    RADIUS = 0.8

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        distance, angle, heading = self.np_random.uniform([3, -np.pi, -np.pi], [6, np.pi, np.pi])
        self.pose = np.array([distance * np.cos(angle), distance * np.sin(angle), heading])
        self.speed, self.steps = np.zeros(3), 0
        self.wind = float(self.np_random.uniform(-0.3, 0.3))
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        thrust, torque = np.clip(action, self.action_space.low, self.action_space.high).astype(np.float64)
        ahead = 0.5 * thrust * np.array([np.cos(self.pose[2]), np.sin(self.pose[2])])
        force = np.array([ahead[0] + self.wind, ahead[1], 4.0 * torque])
        self.speed = self.speed + 0.2 * (force - np.array([0.6, 0.6, 1.5]) * self.speed)
        self.pose = self.pose + 0.2 * self.speed
        self.pose[:2] = np.clip(self.pose[:2], -12, 12)
        self.steps += 1
        docked = bool(np.hypot(*self.pose[:2]) < self.RADIUS)
        return self._observe(), -1.0, docked, self.steps >= 100 and not docked, {}

    def _observe(self) -> dict[str, np.ndarray]:
        heading = (self.pose[2] + np.pi) % (2 * np.pi) - np.pi
        parts = {"pose": [*self.pose[:2], heading], "speed": np.clip(self.speed, -5, 5), "wind": [self.wind]}
        return {name: np.array(part, np.float32) for name, part in parts.items()}


def dock(obs: dict[str, np.ndarray]) -> np.ndarray:
    """Return thrust and torque toward a place in front of the berth, which is missed at this speed."""
    (x, y, heading), (speed_x, speed_y, spin) = obs["pose"], obs["speed"]
    wish = np.arctan2(-y - 0.8 * speed_y, -x - 0.8 * speed_x)
    error = (wish - heading + np.pi) % (2 * np.pi) - np.pi
    thrust = min(5.0, 0.8 + 0.8 * np.hypot(x, y)) * max(0.0, np.cos(error)) if abs(error) < 1.2 else 0.0
    return np.array([thrust, np.clip(1.2 * error - 0.4 * spin, -0.6, 0.6)], np.float32)


HARBOR_TASKS = {
    "gantry": Task(f"{MODULE}:Gantry-v0", Gantry, settle, "Discrete; vector"),
    "tug": Task(f"{MODULE}:Tug-v0", Tug, dock, "Box; Dict; terminates"),
}
"""Environments and experts by name."""

for task in HARBOR_TASKS.values():
    gym.register(task.env_id.rpartition(":")[2], f"{MODULE}:{task.make.__name__}")
