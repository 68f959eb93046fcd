"""Perturbed environments, to test the transfer of a learned reward.

`PerturbedDynamics`    other masses and gravity in MuJoCo environments
`FixedStartsAndGoals`  chosen start and goal cells in mazes of gymnasium-robotics
`add_walls`            a maze map with additional walls
"""

from collections.abc import Sequence
from importlib import import_module
from math import isfinite
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.envs.maze.maze import Cell, Maze

__all__ = ["FixedStartsAndGoals", "PerturbedDynamics", "add_walls"]

Env = gym.Wrapper[Any, Any, Any, Any]


class PerturbedDynamics(Env, gym.utils.RecordConstructorArgs):
    """A MuJoCo environment with other masses or another gravity.

    Args:
        env: a new MuJoCo environment of gymnasium or gymnasium-robotics.  Its model is changed permanently.
        mass: factor on the mass and inertia of each body.
        gravity: factor on gravity; without effect where no body can fall, as in PointMaze.

    Raises:
        ValueError: a factor is not above 0 (gravity: not at least 0), or the environment has no
            MuJoCo model.

    Example:
        >>> env = PerturbedDynamics(gym.make("InvertedPendulum-v5"), mass=2.0, gravity=0.5)
        >>> float(env.unwrapped.model.opt.gravity[2])
        -4.905
    """

    def __init__(self, env: gym.Env[Any, Any], mass: float = 1.0, gravity: float = 1.0) -> None:
        gym.utils.RecordConstructorArgs.__init__(self, mass=mass, gravity=gravity)
        gym.Wrapper.__init__(self, env)
        if not (isfinite(mass) and mass > 0):
            raise ValueError(f"`mass` must be a finite factor above 0. Received {mass}.")
        if not (isfinite(gravity) and gravity >= 0):
            raise ValueError(f"`gravity` must be a finite factor of at least 0. Received {gravity}.")
        base: Any = env.unwrapped
        # A maze keeps the simulation in the environment of its point or ant.
        model = next((m for m in (_model(base, n) for n in ("", "point_env", "ant_env")) if m), None)
        if model is None:
            raise ValueError(
                f"`env` must be a MuJoCo environment, which has masses and gravity to change. Received {env}."
            )
        model.body_mass[:] *= mass
        model.body_inertia[:] *= mass
        model.opt.gravity[:] *= gravity
        mujoco: Any = import_module("mujoco")  # an extra, installed with every environment with a model

        # MuJoCo derives constants from the masses once: a single sliding body would keep its old one.
        mujoco.mj_setConst(model, mujoco.MjData(model))


class FixedStartsAndGoals(Env, gym.utils.RecordConstructorArgs):
    """A maze with chosen start cells and goal cells.

    Args:
        env: a maze of gymnasium-robotics.
        starts: start cells (row, column), one drawn at each reset; empty for the maze's own starts.
        goals: goal cells (row, column) of the environment's reward, one drawn at each reset; empty for the
            maze's own goals.

    Raises:
        ValueError: a cell is a wall or outside the map, or the environment is not a maze.

    Example:
        >>> from rlpriors.envs.maze.point_maze import make_point_maze
        >>> env = FixedStartsAndGoals(make_point_maze(), starts=[(1, 1)])
        >>> obs, _ = env.reset(seed=0)
        >>> bool(np.abs(obs["observation"][:2] - [-1, 1]).max() < 0.5)
        True
    """

    def __init__(
        self, env: gym.Env[Any, Any], starts: Sequence[Cell] = (), goals: Sequence[Cell] = ()
    ) -> None:
        self.starts, self.goals = [[(int(r), int(c)) for r, c in cells] for cells in (starts, goals)]
        gym.utils.RecordConstructorArgs.__init__(self, starts=self.starts, goals=self.goals)
        gym.Wrapper.__init__(self, env)
        maze = Maze.from_env(env)
        for name, cells in (("starts", self.starts), ("goals", self.goals)):
            walls = [cell for cell in cells if cell not in _free(maze)]
            if walls:
                raise ValueError(
                    f"`{name}` must be free cells (row, column) of the maze: {sorted(_free(maze))}. "
                    f"Received {walls}."
                )

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, Any]:
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        elif not hasattr(self, "_rng"):
            self._rng = np.random.default_rng()
        drawn: dict[str, Any] = {}
        for key, cells in (("reset_cell", self.starts), ("goal_cell", self.goals)):
            if cells:
                drawn[key] = np.array(cells[int(self._rng.integers(len(cells)))])
        return super().reset(seed=seed, options={**drawn, **(options or {})} or None)


def add_walls(maze_map: Sequence[Sequence[Any]], cells: Sequence[Cell]) -> list[list[Any]]:
    """Return `maze_map` with walls (1) in `cells`, for `gym.make(..., maze_map=...)`.

    Raises:
        ValueError: a cell is not free, or the new walls would separate free cells from each other.

    Example:
        >>> ring = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
        >>> add_walls(ring, [(1, 2)])[1]
        [1, 0, 1, 0, 1]
    """
    free = _free(Maze(maze_map))
    for cell in cells:
        if tuple(cell) not in free:
            raise ValueError(f"`cells` must be free cells (row, column): {sorted(free)}. Received {cell}.")
    rows = [list(row) for row in maze_map]
    for row, column in cells:
        rows[row][column] = 1
    left = free - {(row, column) for row, column in cells}
    reached, frontier = set(), [next(iter(left))] if left else []
    while frontier:
        row, column = frontier.pop()
        reached.add((row, column))
        neighbors = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)}
        frontier += [cell for cell in neighbors & left if cell not in reached]
    if reached != left or not left:
        raise ValueError(
            f"`cells` must leave all free cells connected. Received {list(cells)}, which separate "
            f"{sorted(left - reached)} from {sorted(reached)}; block a route that has an alternative."
        )
    return rows


def _free(maze: Maze) -> set[Cell]:
    return {(int(row), int(column)) for row, column in maze.free_cells}


def _model(env: Any, inside: str) -> Any:
    return getattr(getattr(env, inside, None) if inside else env, "model", None)
