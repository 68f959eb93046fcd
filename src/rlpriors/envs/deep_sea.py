"""Deep sea, a test of exploration: random actions find its treasure with a probability of 2 ** -size.

`DeepSea`      Gymnasium environment, registered as `DEEP_SEA_ID`
`DEEP_SEA_ID`  id of the environment
"""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Bool, Float32

from rlpriors.settings import fit_value

__all__ = ["DEEP_SEA_ID", "DeepSea"]

DEEP_SEA_ID = "DeepSea-v0"


class DeepSea(gym.Env[Any, Any]):
    """Deep sea of the behavior suite (Osband et al., arXiv 1908.03568): a grid with one rewarded path.

    A diver starts at the top left and sinks by one row in every step, to the left or to the right.  One of
    the two actions is right; a seed decides for each cell which one.  A move to the right costs
    `move_cost / size`.  The step to the right out of the cell at the bottom right earns 1, and only `size`
    moves to the right lead there.  The best return is therefore `1 - move_cost`, a policy that only moves to
    the left gets 0, and every other policy gets less.

    Observations are the one-hot cell, of size * size entries, row by row.  They are 0 everywhere at the end.
    Episodes terminate after `size` steps.  `info["is_success"]` is True in the step that earns the treasure.

    Args:
        size: number of rows and of columns, at least 1.
        move_cost: sum of the costs of `size` moves to the right.
        mapping_seed: seed of the meaning of both actions in each cell; None for 1 as right in every cell.

    Example:
        >>> env = DeepSea(2, mapping_seed=None)
        >>> env.reset()[0]
        array([1., 0., 0., 0.], dtype=float32)
        >>> obs, reward, terminated, _, _ = env.step(1)
        >>> obs, reward, terminated
        (array([0., 0., 0., 1.], dtype=float32), -0.005, False)
        >>> obs, reward, terminated, _, info = env.step(1)
        >>> obs, reward, terminated, info["is_success"]
        (array([0., 0., 0., 0.], dtype=float32), 0.995, True, True)

    Raises:
        ValueError: an argument is out of bounds, or an action is neither 0 nor 1.
        RuntimeError: a step before the first reset, or after the end of an episode.
    """

    metadata: dict[str, Any] = {"render_modes": []}  # noqa: RUF012 - as gym.Env declares it

    def __init__(self, size: int = 10, *, move_cost: float = 0.01, mapping_seed: int | None = 0) -> None:
        self.size = fit_value("size", size, int)
        self.move_cost = fit_value("move_cost", move_cost, float)
        seed = fit_value("mapping_seed", mapping_seed, int | None)
        if self.size < 1:
            raise ValueError(f"`size` must be at least 1. Received {size}.")
        if not 0 <= self.move_cost < 1:
            raise ValueError(
                f"`move_cost` must be in [0, 1), so that the treasure pays. Received {move_cost}."
            )
        if seed is not None and seed < 0:
            raise ValueError(
                f"`mapping_seed` must be at least 0, or None for 1 as right. Received {mapping_seed}."
            )
        shape = (self.size, self.size)
        self.right: Bool[np.ndarray, "rows columns"] = (
            np.ones(shape, bool) if seed is None else np.random.default_rng(seed).random(shape) < 0.5
        )
        """True in each cell in which action 1 moves to the right, False where action 0 does."""
        self.observation_space = gym.spaces.Box(0.0, 1.0, (self.size**2,), np.float32)
        self.action_space = gym.spaces.Discrete(2)
        self.row, self.column = self.size, 0  # an episode that has ended

    def __repr__(self) -> str:
        return f"DeepSea({self.size}, move_cost={self.move_cost})"

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Float32[np.ndarray, " cells"], dict[str, Any]]:
        """Start an episode at the top left."""
        super().reset(seed=seed)
        self.row = self.column = 0
        return self._observe(), {"is_success": False}

    def step(self, action: Any) -> tuple[Float32[np.ndarray, " cells"], float, bool, bool, dict[str, Any]]:
        """Sink by one row, to the left or to the right."""
        number = int(action)
        if number not in (0, 1):
            raise ValueError(f"`action` must be 0 or 1. Received {action}.")
        if self.row >= self.size:
            raise RuntimeError("An episode must be started by `reset` before `step`.")
        moves_right = bool(self.right[self.row, self.column]) == bool(number)
        is_success = moves_right and self.column == self.size - 1
        reward = float(is_success) - moves_right * self.move_cost / self.size
        self.column = min(max(self.column + (1 if moves_right else -1), 0), self.size - 1)
        self.row += 1
        return self._observe(), reward, self.row == self.size, False, {"is_success": is_success}

    def _observe(self) -> Float32[np.ndarray, " cells"]:
        cells = np.zeros((self.size, self.size), np.float32)
        if self.row < self.size:
            cells[self.row, self.column] = 1
        return cells.reshape(-1)
