"""Layouts of point mazes, and the environment itself.

`LAYOUTS`          layouts by name
`MazeLayout`       the goal, the map and the defaults of a task
`make_point_maze`  a point maze that never terminates
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym

from rlpriors.envs.make import make_env
from rlpriors.envs.maze.maze import Cell
from rlpriors.envs.maze.perturbations import FixedStartsAndGoals

__all__ = ["LAYOUTS", "MazeLayout", "make_point_maze"]


@dataclass(frozen=True)
class MazeLayout:
    """Goal, map and defaults of a point maze task."""

    goal: tuple[float, float]
    """The x and y of the goal."""
    max_episode_steps: int
    """Length of an episode, in steps."""
    env_id: str = "PointMaze_UMaze-v3"
    """Gymnasium id of the environment."""
    maze_map: tuple[tuple[int, ...], ...] | None = None
    """Rows of 0 (free) and 1 (a wall); None for the map of `env_id`."""
    avoid: tuple[Cell, ...] = ()
    """Cells that demonstrations do not enter where another route exists."""
    walls: tuple[Cell, ...] = ()
    """Free cells of the map that become walls."""
    openings: tuple[Cell, ...] = ()
    """Walls of the map that become free cells."""


_UMAZE = MazeLayout(goal=(-1.0, -1.0), max_episode_steps=300)
_LARGE = MazeLayout(goal=(4.5, 3.0), max_episode_steps=800, env_id="PointMaze_Large-v3")
_RING = MazeLayout(
    goal=(0.0, -2.0),
    max_episode_steps=400,
    maze_map=tuple(
        tuple(
            int(0 in (row, column, 6 - row, 6 - column) or {row, column} <= {2, 3, 4}) for column in range(7)
        )
        for row in range(7)
    ),
)

LAYOUTS = {
    "umaze": _UMAZE,
    "umaze-blocked": replace(_UMAZE, walls=((2, 3),), openings=((2, 1),)),
    "large": _LARGE,
    "large-avoid": replace(_LARGE, avoid=((1, 6), (1, 7), (1, 8), (1, 9))),
    "large-blocked": replace(_LARGE, walls=((1, 8),)),
    "ring": _RING,
    "ring-avoid": replace(_RING, avoid=((2, 5), (3, 5), (4, 5))),
    "ring-blocked": replace(_RING, walls=((5, 2),)),
}
"""Layouts by name.

- "umaze" is the layout of the demo, "large" the large maze of gymnasium-robotics, and "ring" has two routes
  to the goal.
- "...-avoid" adds cells that demonstrations avoid.
- "...-blocked" closes the shortest route, to evaluate a reward on a changed map.  The U-maze has one route
  only, so "umaze-blocked" opens another: the wall hangs from the other side, as in AIRL's transfer experiment
  (arXiv 1710.11248, section 7.1), and the old route is a dead end from the upper row.
"""


def make_point_maze(
    max_episode_steps: int = 300,
    env_id: str = "PointMaze_UMaze-v3",
    starts: Sequence[Cell] = (),
    **arguments: Any,
) -> gym.Env[Any, Any]:
    """Return a point maze that never terminates, so that episodes can contain rests at the goal.

    Each episode starts in a random cell (row, column) of `starts`; without `starts`, in any free cell.
    """
    env = make_env(env_id, continuing_task=True, max_episode_steps=max_episode_steps, **arguments)
    return FixedStartsAndGoals(env, starts=starts) if starts else env
