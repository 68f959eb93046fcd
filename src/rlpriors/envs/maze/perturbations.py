"""Worlds that differ from the one a reward was learned in: what a reward is worth beyond imitation.

`PerturbedDynamics`  heavier or lighter bodies, stronger or weaker gravity, in MuJoCo environments
`FixedStartsAndGoals`   mazes of gymnasium-robotics from chosen cells, to chosen cells
`block`            a maze's map with further cells walled off
"""

from collections.abc import Sequence
from importlib import import_module
from math import isfinite
from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.envs.maze.maze import Cell, Maze

__all__ = ["FixedStartsAndGoals", "PerturbedDynamics", "block"]

Env = gym.Wrapper[Any, Any, Any, Any]


class PerturbedDynamics(Env, gym.utils.RecordConstructorArgs):
    """The same task with other masses or another gravity.

    Args:
        env: a MuJoCo environment of gymnasium or gymnasium-robotics, fresh: each copy has a model
            of its own, which is changed for good.
        mass: factor on every body's mass and inertia.
        gravity: factor on gravity; nothing changes where nothing can fall, as in PointMaze.

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
        bare: Any = env.unwrapped
        # A maze keeps the simulation in the environment of its point or ant.
        model = next((m for m in (_model(bare, n) for n in ("", "point_env", "ant_env")) if m), None)
        if model is None:
            raise ValueError(
                "`env` must be a MuJoCo environment, as only these have masses and gravity to change. "
                f"Received {env}."
            )
        model.body_mass[:] *= mass
        model.body_inertia[:] *= mass
        model.opt.gravity[:] *= gravity
        mujoco: Any = import_module("mujoco")  # an extra, which an environment with a model has brought

        # What MuJoCo derives from masses, it derives once: a lone sliding body would keep its old one.
        mujoco.mj_setConst(model, mujoco.MjData(model))


class FixedStartsAndGoals(Env, gym.utils.RecordConstructorArgs):
    """A maze whose episodes start in one of some cells, and whose own goal lies in one of others.

    Args:
        env: a maze of gymnasium-robotics.
        starts: cells (row, column), one of which is drawn at each reset; empty for the maze's own.
        goals: the same for the goal that the environment pays for.

    Raises:
        ValueError: a cell is a wall or outside, or the environment is no maze.

    Example:
        >>> from rlpriors.envs.maze.point_maze import make_env
        >>> env = FixedStartsAndGoals(make_env(), starts=[(1, 1)])
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
            self._draws = np.random.default_rng(seed)
        elif not hasattr(self, "_draws"):
            self._draws = np.random.default_rng()
        wanted: dict[str, Any] = {}
        for key, cells in (("reset_cell", self.starts), ("goal_cell", self.goals)):
            if cells:
                wanted[key] = np.array(cells[int(self._draws.integers(len(cells)))])
        both = {**wanted, **(options or {})}
        return super().reset(seed=seed, options=both or None)


def block(maze_map: Sequence[Sequence[Any]], cells: Sequence[Cell]) -> list[list[Any]]:
    """`maze_map` with walls (1) in `cells`, for `gym.make(..., maze_map=...)`.

    Raises:
        ValueError: a cell is a wall already, or the rest would fall apart: then no way is left
            between some places.

    Example:
        >>> ring = [[1, 1, 1, 1, 1], [1, 0, 0, 0, 1], [1, 0, 1, 0, 1], [1, 0, 0, 0, 1], [1, 1, 1, 1, 1]]
        >>> block(ring, [(1, 2)])[1]
        [1, 0, 1, 0, 1]
    """
    free = _free(Maze(maze_map))
    for cell in cells:
        if tuple(cell) not in free:
            raise ValueError(f"`cells` must be free cells (row, column): {sorted(free)}. Received {cell}.")
    blocked = [list(row) for row in maze_map]
    for row, column in cells:
        blocked[row][column] = 1
    left = free - {(row, column) for row, column in cells}
    reached, edge = set(), [next(iter(left))] if left else []
    while edge:
        row, column = edge.pop()
        reached.add((row, column))
        near = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)}
        edge += [cell for cell in near & left if cell not in reached]
    if reached != left or not left:
        raise ValueError(
            f"`cells` must leave the maze in one piece. Received {list(cells)}, behind which "
            f"{sorted(left - reached)} cannot be reached from {sorted(reached)}; block a way that has "
            "another beside it."
        )
    return blocked


def _free(maze: Maze) -> set[Cell]:
    return {(int(row), int(column)) for row, column in maze.free_cells}


def _model(env: Any, inside: str) -> Any:
    return getattr(getattr(env, inside, None) if inside else env, "model", None)
