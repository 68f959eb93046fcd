"""Environments that were invented after `rlpriors learn-reward` and its defaults, with scripted experts.

`Greenhouse`  Discrete actions: heater, vent and spray hold a climate
`Crane`       Box actions and Dict observations: a two-link crane carries a load to a hidden place
`Balloon`     Box actions: the burner of a balloon holds an altitude
`Ferry`       Discrete actions: an engine holds a ferry at its berth, in a current
`Kiln`        Box actions and Dict observations: two burners hold the temperatures of a kiln
`FIRST_TASKS` environments and experts by name

Their rewards are for the evaluation only: the command never reads them.
"""

from typing import Any

import gymnasium as gym
import numpy as np

from benchmarks.own_data.cells import Task

__all__ = ["FIRST_TASKS", "Balloon", "Crane", "Ferry", "Greenhouse", "Kiln"]

MODULE = "benchmarks.own_data.environments"


class Greenhouse(gym.Env[np.ndarray, Any]):
    """Temperature and humidity of a greenhouse, with the outside temperature, in degrees C and percent.

    The actions are: nothing, heat, open the vent, spray water.  Heat and moisture are lost to the outside.
    The reward is highest at 24 degrees and 60 percent; episodes have 100 steps.
    """

    observation_space = gym.spaces.Box(-20, 120, (3,), np.float32)
    action_space = gym.spaces.Discrete(4)
    GOAL = (24.0, 60.0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.outside = self.np_random.uniform(6, 14)
        self.heat, self.moisture = self.np_random.uniform(10, 30), self.np_random.uniform(30, 90)
        self.steps = 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        change = 0.02 * (self.outside - self.heat)
        wetter = 0.01 * (45 - self.moisture)
        if action == 1:
            change, wetter = change + 1.0, wetter - 0.6
        elif action == 2:
            change, wetter = change + 0.06 * (self.outside - self.heat), wetter - 0.06 * (self.moisture - 30)
        elif action == 3:
            change, wetter = change - 0.15, wetter + 2.5
        self.heat = float(np.clip(self.heat + change, -10, 45))
        self.moisture = float(np.clip(self.moisture + wetter, 0, 100))
        self.steps += 1
        reward = -abs(self.heat - self.GOAL[0]) / 5 - abs(self.moisture - self.GOAL[1]) / 20
        return self._observe(), reward, False, self.steps >= 100, {}

    def _observe(self) -> np.ndarray:
        return np.array([self.heat, self.moisture, self.outside], np.float32)


def grow(obs: np.ndarray) -> int:
    """Return the action that reduces the larger error of temperature and humidity."""
    cold, dry = (Greenhouse.GOAL[0] - obs[0]) / 5, (Greenhouse.GOAL[1] - obs[1]) / 20
    if max(cold, dry) > 0.03:
        return 1 if cold >= dry else 3
    if min(cold, dry) < -0.12:
        return 2
    return 0


class Crane(gym.Env[Any, Any]):
    """Crane of two links in a plane, seen from above, with a load of a mass that is observed.

    Motors turn both joints; friction slows them.  The reward is minus the distance of the hand to a hidden
    place; episodes have 90 steps.
    """

    observation_space = gym.spaces.Dict(
        joints=gym.spaces.Box(-2.6, 2.6, (2,), np.float32),
        load=gym.spaces.Box(0, 2, (1,), np.float32),
        speeds=gym.spaces.Box(-3, 3, (2,), np.float32),
    )
    action_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    POSE = np.array([0.9, -1.1])
    LIMIT = 2.5

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.joints, self.speeds = self.np_random.uniform(-2, 2, 2), np.zeros(2)
        self.load, self.steps = float(self.np_random.uniform(0.5, 1.5)), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        torque = np.clip(action, -1, 1) / (0.5 + 0.5 * self.load) * [2.0, 3.0]
        self.speeds = np.clip(self.speeds + 0.1 * (torque - 0.8 * self.speeds), -3, 3)
        moved = self.joints + 0.1 * self.speeds
        self.joints = np.clip(moved, -self.LIMIT, self.LIMIT)
        self.speeds[self.joints != moved] = 0
        self.steps += 1
        reward = -float(np.linalg.norm(hand(self.joints) - hand(self.POSE)))
        return self._observe(), reward, False, self.steps >= 90, {}

    def _observe(self) -> dict[str, np.ndarray]:
        parts = {"joints": self.joints, "load": [self.load], "speeds": self.speeds}
        return {name: np.array(part, np.float32) for name, part in parts.items()}


def hand(joints: np.ndarray) -> np.ndarray:
    """Return the place of the hand of the crane, whose links have the lengths 1 and 0.7."""
    first, second = joints[0], joints[0] + joints[1]
    return np.array([np.cos(first) + 0.7 * np.cos(second), np.sin(first) + 0.7 * np.sin(second)])


def carry(obs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the torques of damped springs to the pose."""
    torque = 1.6 * (Crane.POSE - obs["joints"]) - 0.9 * obs["speeds"]
    return np.asarray(np.clip(torque * (0.5 + 0.5 * obs["load"]), -1, 1), np.float32)


class Balloon(gym.Env[np.ndarray, Any]):
    """Altitude in meters, vertical speed and temperature of a balloon, whose burner is controlled.

    The air in the balloon cools, more slowly than it rises.  The reward is highest at 300 meters; episodes
    have 120 steps.
    """

    observation_space = gym.spaces.Box(-500, 1000, (3,), np.float32)
    action_space = gym.spaces.Box(0, 1, (1,), np.float32)
    GOAL = 300.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.height, self.speed = self.np_random.uniform(50, 550), 0.0
        self.heat, self.steps = self.np_random.uniform(60, 80), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.heat += 6.0 * float(np.clip(action, 0, 1).flat[0]) - 0.05 * (self.heat - 10)
        self.speed += 0.08 * (self.heat - 70) - 0.15 * self.speed
        height = self.height + 2 * self.speed
        self.height = float(np.clip(height, 0, 600))
        self.speed = 0.0 if self.height != height else self.speed
        self.steps += 1
        return self._observe(), -abs(self.height - self.GOAL) / 100, False, self.steps >= 120, {}

    def _observe(self) -> np.ndarray:
        return np.array([self.height, self.speed, self.heat], np.float32)


def burn(obs: np.ndarray) -> np.ndarray:
    """Return the burner's power for a speed that is proportional to the missing altitude."""
    speed = np.clip(0.06 * (Balloon.GOAL - obs[0]), -6, 6)
    heat = 70 + 1.9 * speed + 3.0 * (speed - obs[1])
    power = 0.5 + 0.12 * (heat - obs[2])
    return np.asarray(np.clip([power], 0, 1), np.float32)


class Ferry(gym.Env[np.ndarray, Any]):
    """Place, speed and current of a ferry in meters, whose engine runs backward, rests or runs forward.

    The reward is highest at the berth, 60 meters from the middle; episodes have 120 steps.
    """

    observation_space = gym.spaces.Box(-400, 400, (3,), np.float32)
    action_space = gym.spaces.Discrete(3)
    BERTH = 60.0

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        super().reset(seed=seed)
        self.place, self.speed = self.np_random.uniform(-150, 150), 0.0
        self.current, self.steps = self.np_random.uniform(-1, 1), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        self.speed += 0.4 * (int(action) - 1) - 0.08 * self.speed
        place = self.place + self.speed + self.current
        self.place = float(np.clip(place, -200, 200))
        self.speed = 0.0 if self.place != place else self.speed
        self.steps += 1
        return self._observe(), -abs(self.place - self.BERTH) / 50, False, self.steps >= 120, {}

    def _observe(self) -> np.ndarray:
        return np.array([self.place, self.speed, self.current], np.float32)


def moor(obs: np.ndarray) -> int:
    """Return the engine's state for a speed that is proportional to the distance, against the current."""
    wish = np.clip(0.06 * (Ferry.BERTH - obs[0]), -4, 4) - obs[2]
    error = wish - 0.92 * obs[1]
    return 2 if error > 0.2 else 0 if error < -0.2 else 1


class Kiln(gym.Env[Any, Any]):
    """Temperatures of the upper and the lower chamber of a kiln in degrees C, and its draft.

    Each chamber has a burner, and heat flows between both.  The reward is highest at 320 and 210 degrees;
    episodes have 100 steps.
    """

    observation_space = gym.spaces.Dict(
        draft=gym.spaces.Box(0, 2, (1,), np.float32),
        lower=gym.spaces.Box(0, 700, (1,), np.float32),
        upper=gym.spaces.Box(0, 700, (1,), np.float32),
    )
    action_space = gym.spaces.Box(0, 1, (2,), np.float32)
    GOAL = (320.0, 210.0)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.upper, self.lower = self.np_random.uniform(20, 450, 2)
        self.draft, self.steps = float(self.np_random.uniform(0.5, 1.5)), 0
        return self._observe(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        burners = np.clip(action, 0, 1)
        flow, loss = 0.04 * (self.lower - self.upper), 0.06 * self.draft
        upper = self.upper + 40 * float(burners[0]) - loss * (self.upper - 20) + flow
        self.lower += 30 * float(burners[1]) - loss * (self.lower - 20) - flow
        self.upper = upper
        self.steps += 1
        reward = -abs(self.upper - self.GOAL[0]) / 60 - abs(self.lower - self.GOAL[1]) / 60
        return self._observe(), reward, False, self.steps >= 100, {}

    def _observe(self) -> dict[str, np.ndarray]:
        parts = {"draft": self.draft, "lower": self.lower, "upper": self.upper}
        return {name: np.array([part], np.float32) for name, part in parts.items()}


def fire(obs: dict[str, np.ndarray]) -> np.ndarray:
    """Return the power of both burners that replaces the losses and a fifth of the missing temperature."""
    upper, lower = float(obs["upper"][0]), float(obs["lower"][0])
    flow, loss = 0.04 * (lower - upper), 0.06 * float(obs["draft"][0])
    powers = [
        (0.2 * (Kiln.GOAL[0] - upper) + loss * (upper - 20) - flow) / 40,
        (0.2 * (Kiln.GOAL[1] - lower) + loss * (lower - 20) + flow) / 30,
    ]
    return np.asarray(np.clip(powers, 0, 1), np.float32)


FIRST_TASKS = {
    "greenhouse": Task(f"{MODULE}:Greenhouse-v0", Greenhouse, grow, "Discrete; vector"),
    "crane": Task(f"{MODULE}:Crane-v0", Crane, carry, "Box; Dict"),
    "balloon": Task(f"{MODULE}:Balloon-v0", Balloon, burn, "Box; vector"),
    "ferry": Task(f"{MODULE}:Ferry-v0", Ferry, moor, "Discrete; vector"),
    "kiln": Task(f"{MODULE}:Kiln-v0", Kiln, fire, "Box; Dict"),
}
"""Environments and experts by name."""

for task in FIRST_TASKS.values():
    gym.register(task.env_id.rpartition(":")[2], f"{MODULE}:{task.make.__name__}")
