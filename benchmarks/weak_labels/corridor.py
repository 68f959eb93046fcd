"""Long corridor that turns back: the goal is near the start, and the way to it is long.

`Corridor`     environment
`path_length`  length of the way from a position to the goal
"""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float

__all__ = ["GOAL", "STEPS", "Corridor", "path_length"]

STEPS = 150
WIDTH = 0.2
GOAL = np.array([0.05, 0.3])


class Corridor(gym.Env[np.ndarray, np.ndarray]):
    """Point in two corridors that are joined behind `turn`; the goal is over the start.

    Actions are moves of at most 0.08 in each direction; a wall stops the move across it.  The reward is 1 at
    the goal, which ends the episode, and 0 elsewhere.  With `turn` 0.7 a random walk
    finds the goal in 2.5 % of the episodes.
    """

    observation_space = gym.spaces.Box(0, 1.2, (2,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (2,), np.float32)

    def __init__(self, turn: float = 0.7) -> None:
        self.turn = turn

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Put the point to the closed end of the lower corridor."""
        super().reset(seed=seed)
        self.at = self.np_random.uniform((0.0, 0.0), (0.1, WIDTH))
        self.time = 0
        return self.at.astype(np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Move the point."""
        x, y = self.at
        dx, dy = 0.08 * np.clip(action, -1, 1)
        x = float(np.clip(x + dx, 0, self.turn + WIDTH))
        new_y = float(np.clip(y + dy, 0, 2 * WIDTH))
        if (new_y > WIDTH) != (y > WIDTH) and x < self.turn:
            new_y = y  # the wall between both corridors
        self.at = np.array([x, new_y])
        self.time += 1
        success = x < 0.1 and new_y > WIDTH
        return self.at.astype(np.float32), float(success), success, self.time >= STEPS, {}


def path_length(obs: Float[np.ndarray, "n 2"], turn: float) -> Float[np.ndarray, " n"]:
    """Return the length of the way to the goal, along the corridors."""
    x, upper = obs[:, 0], obs[:, 1] > WIDTH
    middle = turn + WIDTH / 2
    length: np.ndarray = np.where(upper, x - GOAL[0], np.abs(middle - x) + WIDTH + middle - GOAL[0])
    return length
