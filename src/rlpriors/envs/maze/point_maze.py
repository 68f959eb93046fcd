"""Point maze tasks with a hidden goal: data, demonstrations, true reward and success.

`make_task`        a task on one of the `LAYOUTS`
`PointMazeTask`    data, demonstrations, true reward and success measures of a task
`GridReward`       true reward, interpolated on a grid
`make_point_maze`  the environment
`OBS_KEYS`         observation keys of a point maze
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings
from rlpriors.envs.maze.layouts import LAYOUTS, make_point_maze
from rlpriors.envs.maze.maze import Cell, Maze
from rlpriors.envs.maze.waypoint_rollout import waypoint_rollout
from rlpriors.settings import check_fields
from rlpriors.types import RewardFn

__all__ = ["OBS_KEYS", "GridReward", "PointMazeTask", "make_point_maze", "make_task"]

OBS_KEYS = ("observation",)
"""Observation keys (x, y, vx, vy), without the environment's own goals, which are not those of the task."""


@dataclass(frozen=True)
class PointMazeTask:
    """Point maze task with a goal that only the demonstrations show.

    The true reward is `-distance`, up to a factor.  With cells to `avoid`, `distance` prefers the routes of
    the demonstrations.

    Example:
        >>> task = make_task(layout="ring-avoid", max_episode_steps=100)
        >>> start = np.array([[2.0, 2.0]])  # in a corner; the route down and then left is 5.1
        >>> task.distance(start).round(1)
        array([8.1])
        >>> replace(task, avoid=()).distance(start).round(1)
        array([5.1])
    """

    maze: Maze
    """Map of the maze."""
    goal: tuple[float, float]
    """The x and y of the goal."""
    max_episode_steps: int
    """Length of an episode, in steps."""
    goal_radius: float = 0.45
    """Distance to the goal within which the goal is reached."""
    stay_steps: int = 30
    """Number of final observations at the goal for which an episode counts as staying."""
    env_id: str = "PointMaze_UMaze-v3"
    """Gymnasium id of the environment, which is made with the map of `maze`."""
    avoid: tuple[Cell, ...] = ()
    """Cells that demonstrations do not enter where another route exists."""
    penalty: float = 30.0
    """Increase of the distance in a cell of `avoid`, at least 0; it should exceed the length of a detour."""
    starts: tuple[Cell, ...] = ()
    """Cells in which episodes start; empty for all cells from which the goal is reachable."""

    def __post_init__(self) -> None:
        check_fields(self)
        settings = WaypointSettings(goal=self.goal, avoid=self.avoid)
        WaypointController(self.maze, settings, np.random.default_rng(0))  # checks `goal` and `avoid`
        if self.penalty < 0:
            raise ValueError(f"`penalty` must be at least 0. Received {self.penalty}.")
        reachable = self.maze.reachable(self.maze.cell_of(self.goal))
        for cell in self.starts:
            if cell not in reachable:
                raise ValueError(
                    f"`starts` must be free cells from which the goal is reachable: {reachable}. "
                    f"Received {cell}."
                )

    def changed(
        self,
        *,
        walls: Sequence[Cell] = (),
        openings: Sequence[Cell] = (),
        starts: Sequence[Cell] | None = None,
    ) -> "PointMazeTask":
        """Return a task with the same goal, with more walls or openings, or other start cells.

        Raises:
            ValueError: a cell of `walls` is not free, a cell of `openings` is not a wall, or the goal is not
                reachable.
        """
        maze = self.maze.changed(walls, openings)
        avoid = tuple(cell for cell in self.avoid if cell not in walls)
        new = self.starts if starts is None else tuple(starts)
        return replace(self, maze=maze, avoid=avoid, starts=new)

    def data(self, n_episodes: int, seed: int, n_workers: int) -> EpisodeStore:
        """Return episodes between random goals with rests: the training data of a prior."""
        settings = WaypointSettings(max_episode_steps=self.max_episode_steps)
        episodes = waypoint_rollout(self.env_factory, n_episodes, settings, seed=seed, n_workers=n_workers)
        return EpisodeStore.from_episodes(episodes, OBS_KEYS)

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes that go to the goal without entering `avoid`, and stay there."""
        settings = WaypointSettings(
            goal=self.goal,
            max_episode_steps=self.max_episode_steps,
            avoid=self.avoid,
            starts=self.starts,
        )
        return EpisodeStore.from_episodes(
            waypoint_rollout(self.env_factory, n_episodes, settings, seed=seed), OBS_KEYS
        )

    @property
    def env_factory(self) -> Callable[[], gym.Env[Any, Any]]:
        """Picklable function that returns the environment."""
        return partial(
            make_point_maze, self.max_episode_steps, self.env_id, self.starts, maze_map=self.maze.maze_map
        )

    def distance(self, xy: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
        """Return the length of the shortest path to the goal that enters no cell of `avoid`.

        In a cell of `avoid` it is the length of the shortest path through any cells, plus `penalty`.  Where
        every path enters cells of `avoid`, it is the length of the shortest.
        """
        xy = xy.astype(np.float64)
        shortest = self.maze.geodesic(xy, self.goal)
        if not self.avoid:
            return shortest
        detour = self._avoiding_maze.geodesic(xy, self.goal)
        inside = self.avoided(xy)
        return np.asarray(np.where(inside | np.isinf(detour), shortest, detour) + self.penalty * inside)

    def avoided(self, xy: Float[np.ndarray, "points 2"]) -> Bool[np.ndarray, " points"]:
        """Return True for each point in a cell of `avoid`."""
        if not self.avoid:
            return np.zeros(len(xy), dtype=bool)
        inside: np.ndarray = self.maze.is_free(xy) & ~self._avoiding_maze.is_free(xy)
        return inside

    @cached_property
    def _avoiding_maze(self) -> Maze:
        return self.maze.changed(walls=self.avoid)

    def oracle(self, weight: float = 0.5) -> RewardFn:
        """Return the true reward, -weight times the distance to the goal, differentiable (`GridReward`)."""
        return GridReward(self, weight)

    def reached(self, store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
        """Return True for each episode that was at the goal at any time."""
        return np.array([self._at_goal(store, i).any() for i in range(store.n_episodes)])

    def stayed(self, store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
        """Return True for each episode whose last `stay_steps` observations are at the goal."""
        return np.array([self._at_goal(store, i)[-self.stay_steps :].all() for i in range(store.n_episodes)])

    def violations(self, store: EpisodeStore) -> Float[np.ndarray, " episodes"]:
        """Return the fraction of each episode's observations that are in cells of `avoid`.

        Observations before the episode has left these cells do not count: a start there is no violation.
        For episodes of equal length, the mean is the fraction of all observations; the mean of
        `violations > 0` is the fraction of episodes that entered.
        """
        fractions = []
        for i in range(store.n_episodes):
            inside = self.avoided(store.episode(i).obs[:, :2].astype(np.float64))
            fractions.append((inside & np.logical_or.accumulate(~inside)).mean())
        return np.array(fractions)

    def _at_goal(self, store: EpisodeStore, episode: int) -> Bool[np.ndarray, " observations"]:
        offset = store.episode(episode).obs[:, :2] - np.array(self.goal)
        at_goal: np.ndarray = np.hypot(*offset.T) <= self.goal_radius
        return at_goal


class GridReward:
    """Reward -weight times `PointMazeTask.distance`, by bilinear interpolation on a grid.

    Example:
        >>> reward = GridReward(make_task(max_episode_steps=10), weight=0.5)
        >>> at_goal, act = torch.tensor([[-1.0, -1.0, 0.0, 0.0]]), torch.zeros(1, 2)
        >>> bool(reward(at_goal, act, at_goal, torch.zeros(1, dtype=torch.bool)).abs() < 0.03)
        True
    """

    def __init__(self, task: PointMazeTask, weight: float, resolution: float = 0.05) -> None:
        rows, columns = task.maze.free.shape
        self.half = np.array([columns, rows]) / 2 * task.maze.scaling
        x = np.arange(-self.half[0], self.half[0] + resolution / 2, resolution)
        y = np.arange(-self.half[1], self.half[1] + resolution / 2, resolution)
        xy = np.stack(np.meshgrid(x, y), -1)
        distance = task.distance(xy.reshape(-1, 2)).reshape(xy.shape[:2])
        self.table = torch.as_tensor(-weight * distance, dtype=torch.float32)[None, None]

    def __call__(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        half = torch.as_tensor(self.half, dtype=obs.dtype, device=obs.device)
        at = (obs[:, :2] / half)[None, None]
        table = self.table.to(obs.device)
        return torch.nn.functional.grid_sample(table, at, align_corners=True, padding_mode="border")[0, 0, 0]


def make_task(
    goal: tuple[float, float] | None = None,
    max_episode_steps: int | None = None,
    *,
    layout: str = "umaze",
    avoid: Sequence[Cell] | None = None,
    starts: Sequence[Cell] = (),
) -> PointMazeTask:
    """Return a task on one of the `LAYOUTS`; the default is the U-maze with a goal at the end of one arm.

    Arguments that are None take the value of the layout.

    Raises:
        ValueError: there is no such layout, the goal is not in free space, a cell of `avoid` is a wall or the
            cell of the goal, or the goal is not reachable from a start.
    """
    if layout not in LAYOUTS:
        raise ValueError(f"`layout` must be one of {', '.join(LAYOUTS)}. Received {layout!r}.")
    preset = LAYOUTS[layout]
    if preset.maze_map is None:
        env = make_point_maze(env_id=preset.env_id)
        maze = Maze.from_env(env)
        env.close()
    else:
        maze = Maze(preset.maze_map)
    return PointMazeTask(
        maze.changed(preset.walls, preset.openings),
        preset.goal if goal is None else goal,
        preset.max_episode_steps if max_episode_steps is None else max_episode_steps,
        env_id=preset.env_id,
        avoid=preset.avoid if avoid is None else tuple(avoid),
        starts=tuple(starts),
    )
