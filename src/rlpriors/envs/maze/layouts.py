"""The worlds in which a point looks for its way.

`WORLDS`    "umaze" is the demo's; "large" is large; "ring" has two ways to the goal.
            "...-avoid" has demonstrations that go around some cells, "...-blocked" is the same
            world with the usual way closed, to see what a reward is worth elsewhere
`World`     what such a world is made of
`make_env`  the environment
"""

from collections.abc import Sequence
from contextlib import redirect_stderr
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

import gymnasium as gym

from rlpriors.envs.maze.maze import Cell
from rlpriors.envs.maze.perturbations import FixedStartsAndGoals

__all__ = ["WORLDS", "World", "make_env"]


@dataclass(frozen=True)
class World:
    """What a task is made of, unless told otherwise."""

    goal: tuple[float, float]
    steps: int
    env_id: str = "PointMaze_UMaze-v3"
    maze_map: tuple[tuple[int, ...], ...] | None = None
    """Rows of 0 and 1 (a wall); without it the environment's own."""
    avoid: tuple[Cell, ...] = ()
    walls: tuple[Cell, ...] = ()
    """Further cells that are walls."""
    openings: tuple[Cell, ...] = ()
    """Walls that are none."""


_UMAZE = World(goal=(-1.0, -1.0), steps=300)
_LARGE = World(goal=(4.5, 3.0), steps=800, env_id="PointMaze_Large-v3")
_RING = World(
    goal=(0.0, -2.0),
    steps=400,
    maze_map=tuple(
        tuple(
            int(0 in (row, column, 6 - row, 6 - column) or {row, column} <= {2, 3, 4}) for column in range(7)
        )
        for row in range(7)
    ),
)

WORLDS = {
    "umaze": _UMAZE,
    "umaze-blocked": replace(_UMAZE, walls=((2, 3),), openings=((2, 1),)),
    "large": _LARGE,
    "large-avoid": replace(_LARGE, avoid=((1, 6), (1, 7), (1, 8), (1, 9))),
    "large-blocked": replace(_LARGE, walls=((1, 8),)),
    "ring": _RING,
    "ring-avoid": replace(_RING, avoid=((2, 5), (3, 5), (4, 5))),
    "ring-blocked": replace(_RING, walls=((5, 2),)),
}
"""The U-maze has one way only, so its blocked one opens another: the wall hangs from the other side, as
in AIRL's transfer (arXiv 1710.11248, section 7.1), and the old way is a dead end from the upper row."""


def make_env(
    max_episode_steps: int = 300,
    env_id: str = "PointMaze_UMaze-v3",
    starts: Sequence[Cell] = (),
    **kwargs: Any,
) -> gym.Env[Any, Any]:
    """A point maze that never terminates, so that staying at a place can be seen.

    `starts` are cells (row, column) of which each episode begins in one; without them in any.
    """
    with redirect_stderr(StringIO()):  # it prints news about other environments when imported
        import gymnasium_robotics

    gym.register_envs(gymnasium_robotics)
    env = gym.make(env_id, continuing_task=True, max_episode_steps=max_episode_steps, **kwargs)
    return FixedStartsAndGoals(env, starts=starts) if starts else env
