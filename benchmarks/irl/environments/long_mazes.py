"""Mazes whose way to the goal is several windows long.

`LongMazeEnvironment`  corridor maze with a goal that is drawn by the seed
`LONG_MAZES`           maps by name
`draw_goal`            random goal with a long way to it

A cell takes about 22 steps, so that a way of 18 cells is three windows of 128 steps.  No setting was chosen
on these maps.
"""

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from benchmarks.irl.environments.maze import MazeEnvironment
from rlpriors.envs.maze.maze import Cell, Maze
from rlpriors.envs.maze.point_maze import PointMazeTask

__all__ = ["LONG_MAZES", "LongMazeEnvironment", "draw_goal"]

MIN_CELLS = 19
"""Number of cells on the longest way to a goal, at least."""

LONG_MAZES = {
    "long-comb": (
        "11111111111",
        "10100010111",
        "10101010111",
        "10101010001",
        "10101010111",
        "10001000111",
        "11111111111",
    ),
    "long-snail": (
        "111111111",
        "100000001",
        "101111101",
        "101000101",
        "101011101",
        "101000001",
        "101111111",
        "100000001",
        "111111111",
    ),
}
"""Rows of the maps: 0 is free, 1 a wall."""


@dataclass
class LongMazeEnvironment(MazeEnvironment):
    """Corridor maze whose longest way to the goal takes three windows or more; each seed draws a goal."""

    max_episode_steps: int = 800

    @cached_property
    def task(self) -> PointMazeTask:
        maze = Maze([[int(cell) for cell in row] for row in LONG_MAZES[self.name]])
        goal = maze.center_of(draw_goal(maze, MIN_CELLS, self.seed))
        return PointMazeTask(maze, goal, self.max_episode_steps)

    @property
    def sets_folder(self) -> Path:
        return Path("runs") / "irl" / self.name / f"trajectory_sets-{self.budget.trajectories}-{self.seed}"


def draw_goal(maze: Maze, min_cells: int, seed: int) -> Cell:
    """Draw a free cell that some cell has a way of at least `min_cells` cells to, its own included.

    Raises:
        ValueError: the maze has no such cell.
    """
    longest = {
        goal: max(len(maze.route(start, goal)) for start in maze.reachable(goal)) for goal in maze.free_cells
    }
    far = [goal for goal, cells in longest.items() if cells >= min_cells]
    if not far:
        raise ValueError(
            f"`min_cells` must be at most {max(longest.values())}, the longest way in {maze}. Received "
            f"{min_cells}."
        )
    return far[np.random.default_rng(seed).integers(len(far))]
