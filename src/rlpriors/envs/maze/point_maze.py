"""Points in mazes with a hidden goal: the data, what is true there, and what success means.

`make_task`      one of the worlds of `maze_worlds`, with a goal of your own if you like
`PointMazeTask`  data, demonstrations, the true reward, acting and success in it
`GridReward`     the true reward, read off a grid
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
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings, rollout
from rlpriors.envs.maze.layouts import WORLDS, make_env
from rlpriors.envs.maze.maze import Cell, Maze
from rlpriors.types import RewardFn

__all__ = ["OBS_KEYS", "GridReward", "PointMazeTask", "make_env", "make_task"]

OBS_KEYS = ("observation",)
"""x, y, vx, vy.  The goals that the environment itself shows are left out: they mean nothing here."""


@dataclass(frozen=True)
class PointMazeTask:
    """A maze and a goal in it that only the demonstrations know.

    The truth is `distance`: the less of it, the better.  With cells to `avoid` it prefers the ways
    that the demonstrations go, summed up over the way to the goal.

    Example:
        >>> task = make_task(world="ring-avoid", steps=100)
        >>> start = np.array([[2.0, 2.0]])  # in a corner: down and then left it would be 5.1
        >>> task.distance(start).round(1)
        array([8.1])
        >>> replace(task, avoid=()).distance(start).round(1)
        array([5.1])
    """

    maze: Maze
    goal: tuple[float, float]
    steps: int
    """Length of an episode."""
    radius: float = 0.45
    """Being this near to the goal is being there."""
    last: int = 30
    """Final steps that must all be there for an episode to count as staying."""
    env_id: str = "PointMaze_UMaze-v3"
    """The environment, which is given the maze's map."""
    avoid: tuple[Cell, ...] = ()
    """Cells that demonstrations do not enter where another way exists."""
    penalty: float = 30.0
    """What being in such a cell adds to the distance; it should outweigh the way around."""
    starts: tuple[Cell, ...] = ()
    """Cells in which episodes begin; without them any from which the goal can be reached."""

    def __post_init__(self) -> None:
        settings = WaypointSettings(goal=self.goal, avoid=self.avoid)
        WaypointController(
            self.maze, settings, np.random.default_rng(0)
        )  # checks the goal and what is avoided
        if self.penalty < 0:
            raise ValueError(f"`penalty` must be at least 0. Received {self.penalty}.")
        reachable = self.maze.reachable(self.maze.cell_of(self.goal))
        for cell in self.starts:
            if cell not in reachable:
                raise ValueError(
                    f"`starts` must be free cells from which the goal can be reached: {reachable}. "
                    f"Received {cell}."
                )

    def changed(
        self,
        *,
        walls: Sequence[Cell] = (),
        openings: Sequence[Cell] = (),
        starts: Sequence[Cell] | None = None,
    ) -> "PointMazeTask":
        """The same goal elsewhere: cells walled off or opened, or other places to begin.

        Raises:
            ValueError: a cell is not what it should be, or the goal is walled in.
        """
        maze = self.maze.changed(walls, openings)
        avoid = tuple(cell for cell in self.avoid if cell not in walls)
        new = self.starts if starts is None else tuple(starts)
        return replace(self, maze=maze, avoid=avoid, starts=new)

    def data(self, n_episodes: int, seed: int, workers: int) -> EpisodeStore:
        """Travels between random places with rests, anywhere: what the prior learns from."""
        episodes = rollout(
            self.env_factory, n_episodes, WaypointSettings(max_steps=self.steps), seed=seed, workers=workers
        )
        return EpisodeStore.from_episodes(episodes, OBS_KEYS)

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Ways to the goal from random places, around what they avoid, and stays there."""
        settings = WaypointSettings(
            goal=self.goal, max_steps=self.steps, avoid=self.avoid, starts=self.starts
        )
        return EpisodeStore.from_episodes(
            rollout(self.env_factory, n_episodes, settings, seed=seed), OBS_KEYS
        )

    @property
    def env_factory(self) -> Callable[[], gym.Env[Any, Any]]:
        """Makes one environment."""
        return partial(
            make_env,
            self.steps,
            self.env_id,
            self.starts,
            maze_map=self.maze.maze_map,
        )

    def distance(self, xy: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
        """How far it is to the goal: the shortest way that enters no cell to avoid.

        In such a cell it is the shortest way of all and `penalty` more.  Where every way leads
        through such cells, it is the shortest of these.
        """
        xy = xy.astype(np.float64)
        shortest = self.maze.geodesic(xy, self.goal)
        if not self.avoid:
            return shortest
        around = self._around.geodesic(xy, self.goal)
        inside = self.avoided(xy)
        return np.asarray(np.where(inside | np.isinf(around), shortest, around) + self.penalty * inside)

    def avoided(self, xy: Float[np.ndarray, "points 2"]) -> Bool[np.ndarray, " points"]:
        """Whether each point lies in a cell to avoid."""
        if not self.avoid:
            return np.zeros(len(xy), dtype=bool)
        inside: np.ndarray = self.maze.is_free(xy) & ~self._around.is_free(xy)
        return inside

    @cached_property
    def _around(self) -> Maze:
        return self.maze.changed(walls=self.avoid)

    def oracle(self, weight: float = 0.5) -> RewardFn:
        """-weight times the distance to the goal, differentiable by interpolation over a fine grid."""
        return GridReward(self, weight)

    def reached(self, store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
        """Which episodes were at the goal at any time."""
        return np.array([self._there(store, i).any() for i in range(store.n_episodes)])

    def stayed(self, store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
        """Which episodes spent all of their final steps at the goal."""
        return np.array([self._there(store, i)[-self.last :].all() for i in range(store.n_episodes)])

    def violations(self, store: EpisodeStore) -> Float[np.ndarray, " episodes"]:
        """The part of each episode's frames that lie in cells to avoid, once it has been elsewhere.

        To begin there is no fault.  The mean is the part of all frames (episodes being equally
        long), and the mean of `violations > 0` that of the episodes that ever entered.
        """
        parts = []
        for i in range(store.n_episodes):
            inside = self.avoided(store.episode(i).obs[:, :2].astype(np.float64))
            parts.append((inside & np.logical_or.accumulate(~inside)).mean())
        return np.array(parts)

    def _there(self, store: EpisodeStore, episode: int) -> Bool[np.ndarray, " frames"]:
        away = store.episode(episode).obs[:, :2] - np.array(self.goal)
        there: np.ndarray = np.hypot(*away.T) <= self.radius
        return there


class GridReward:
    """-weight times the shortest way to a task's goal, read off a grid with bilinear interpolation.

    Example:
        >>> reward = GridReward(make_task(steps=10), weight=0.5)
        >>> at_the_goal, act = torch.tensor([[-1.0, -1.0, 0.0, 0.0]]), torch.zeros(1, 2)
        >>> bool(reward(at_the_goal, act, at_the_goal, torch.zeros(1, dtype=torch.bool)).abs() < 0.03)
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
    steps: int | None = None,
    *,
    world: str = "umaze",
    avoid: Sequence[Cell] | None = None,
    starts: Sequence[Cell] = (),
) -> PointMazeTask:
    """One of `WORLDS`: the U-maze with a goal at the end of one arm, unless told otherwise.

    Raises:
        ValueError: there is no such world, the goal is not in free space, a cell to avoid is a wall
            or the goal's, or no way leads from a start to the goal.
    """
    if world not in WORLDS:
        raise ValueError(f"`world` must be one of {', '.join(WORLDS)}. Received {world!r}.")
    preset = WORLDS[world]
    if preset.maze_map is None:
        env = make_env(env_id=preset.env_id)
        maze = Maze.from_env(env)
        env.close()
    else:
        maze = Maze(preset.maze_map)
    return PointMazeTask(
        maze.changed(preset.walls, preset.openings),
        preset.goal if goal is None else goal,
        preset.steps if steps is None else steps,
        env_id=preset.env_id,
        avoid=preset.avoid if avoid is None else tuple(avoid),
        starts=tuple(starts),
    )
