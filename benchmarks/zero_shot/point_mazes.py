"""Point mazes of OGBench, with data of a scripted walker.

`PointMazeWorld`  world on the layout "medium" or "large"

It needs the package `ogbench` (https://github.com/seohongpark/ogbench, arXiv 2410.20092), whose environments
need no download.
"""

from collections.abc import Iterator
from functools import cached_property
from importlib import import_module
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.agents import ZeroShotSettings
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.maze.controllers import WaypointController, WaypointSettings
from rlpriors.envs.maze.maze import Cell, Maze
from rlpriors.envs.maze.point_maze import GridReward, PointMazeTask
from rlpriors.envs.rollout import iterate_episode
from rlpriors.types import RewardFn

__all__ = ["PointMazeWorld"]

SIDE = 4.0  # of a cell
REPEATS = 5  # steps of OGBench's environment in one step here


class Layout(NamedTuple):
    """Cells and sizes of a maze."""

    goal: Cell
    """Goal of the reward "goal-distance"."""
    other_end: Cell
    """Goal of the reward "other-end"."""
    max_episode_steps: int
    """Number of steps of an episode; a cell takes 4."""
    far: float
    """Length of a long way."""


LAYOUTS = {
    "medium": Layout((6, 6), (1, 1), 80, far=20.0),
    "large": Layout((7, 10), (1, 1), 120, far=32.0),
}


class PointMazeWorld:
    """OGBench's point maze with random starts, which never terminates.

    The observation is the position (x, y).  An action is repeated for 5 steps, and moves it by at most 1
    along each axis.  The walker goes from cell to cell on shortest routes with noise on its actions, and
    rests at its random goals.
    """

    task_entries = (0, 1)
    radius = 1.0
    settings = ZeroShotSettings(dim=32, hidden=(64, 64), gamma=0.96, tau=0.05)

    def __init__(self, layout: str) -> None:
        self.name, self.layout = layout, LAYOUTS[layout]

    def make(self, start: Float[np.ndarray, "2"] | None = None) -> gym.Env[Any, Any]:
        """Return the environment with this start; None draws a place in a random cell."""
        import_module("ogbench")
        env = gym.make(
            f"pointmaze-{self.name}-v0",
            terminate_at_goal=False,
            max_episode_steps=REPEATS * self.layout.max_episode_steps,
        )
        return _StartAt(env, self, start)

    @cached_property
    def maze(self) -> Maze:
        """Map of the maze, centered, with y upwards."""
        import_module("ogbench")
        env: Any = gym.make(f"pointmaze-{self.name}-v0").unwrapped
        return Maze(env.maze_map.tolist(), SIDE)

    def centered(self, xy: Any) -> Any:
        """Return positions of the environment in the map, or the reverse for y and shifted x."""
        rows, columns = self.maze.free.shape
        x, y = xy[..., 0] - 2.0 * (columns - 3), 2.0 * (rows - 3) - xy[..., 1]
        return torch.stack([x, y], -1) if isinstance(xy, Tensor) else np.stack([x, y], -1)

    def place(self, rng: np.random.Generator) -> Float[np.ndarray, "2"]:
        """Return a random place, at most 1 from the center of its cell along each axis."""
        cell = self.maze.free_cells[rng.integers(len(self.maze.free_cells))]
        return self.xy_of(cell) + rng.uniform(-1, 1, 2)

    def xy_of(self, cell: Cell) -> Float[np.ndarray, "2"]:
        """Return the center of a cell, in the environment."""
        return SIDE * np.array([cell[1] - 1.0, cell[0] - 1.0])

    def collect(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes between random goals with rests."""
        return self._walk(n_episodes, WaypointSettings(kp=1.0, kd=0.0, dwell=(2, 10)), seed)

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes that go to the goal of the reward "goal-distance" and stay there."""
        goal = self.maze.center_of(self.layout.goal)
        return self._walk(n_episodes, WaypointSettings(goal=goal, kp=1.0, kd=0.0), seed)

    def rewards(self) -> dict[str, RewardFn]:
        """Return minus the shortest way to two places, and the x position."""
        cells = {"goal-distance": self.layout.goal, "other-end": self.layout.other_end}
        rewards: dict[str, RewardFn] = {name: self._way(cell) for name, cell in cells.items()}
        return {**rewards, "east": _east}

    def trials(self, n: int, seed: int) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, "n 2"]]:
        """Return random starts and goals."""
        rng = np.random.default_rng((2, seed))
        places = np.array([self.place(rng) for _ in range(2 * n)])
        return places[:n], places[n:]

    def far(
        self, starts: Float[np.ndarray, "n 2"], goals: Float[np.ndarray, "n 2"]
    ) -> Bool[np.ndarray, " n"]:
        """Return True where the shortest way is at least `layout.far`."""
        pairs = zip(self.centered(starts), self.centered(goals), strict=True)
        return (
            np.array([self.maze.geodesic(start[None], goal)[0] for start, goal in pairs]) >= self.layout.far
        )

    def _way(self, goal: Cell) -> RewardFn:
        task = PointMazeTask(self.maze, self.maze.center_of(goal), self.layout.max_episode_steps)
        reward = GridReward(task, weight=0.1, resolution=0.2)

        def minus_way(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
            return reward(self.centered(obs), act, self.centered(obs_next), terminated)

        return minus_way

    def _walk(self, n_episodes: int, settings: WaypointSettings, seed: int) -> EpisodeStore:
        env = self.make()
        episodes = list(self._episodes(env, n_episodes, settings, seed))
        store = EpisodeStore.from_episodes(episodes, action_space=env.action_space)
        env.close()
        return store

    def _episodes(
        self, env: gym.Env[Any, Any], n_episodes: int, settings: WaypointSettings, seed: int
    ) -> Iterator[Episode]:
        for number in range(n_episodes):
            rng = np.random.default_rng((seed, number))
            walker = WaypointController(self.maze, settings, rng)
            obs, _ = env.reset(seed=int(rng.integers(2**31)))

            def act(obs: np.ndarray, walker: WaypointController = walker) -> np.ndarray:
                # The point keeps no speed, and y is downwards in the environment.
                return walker.act(np.append(self.centered(obs), [0.0, 0.0])) * np.array([1, -1], np.float32)

            steps = list(iterate_episode(env, obs, act))
            ends = np.arange(len(steps)) == len(steps) - 1
            yield Episode(
                np.array([obs, *(step.obs_next for step in steps)], np.float32),
                np.array([step.act for step in steps]),
                np.zeros(len(steps)),
                ends & False,
                ends,
            )


class _StartAt(gym.Wrapper[np.ndarray, Any, np.ndarray, Any]):
    """Wrapper that sets the start of each episode and repeats actions; positions are float32, rewards 0."""

    def __init__(self, env: gym.Env[Any, Any], world: PointMazeWorld, start: Any) -> None:
        super().__init__(env)
        self.world, self.start = world, start
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[np.ndarray, dict[str, Any]]:
        self.env.reset(seed=seed, options={"task_id": 1})
        maze: Any = self.env.unwrapped
        maze.set_xy(self.world.place(self.np_random) if self.start is None else self.start)
        return np.asarray(maze.get_ob(), np.float32), {}

    def step(self, action: Any) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        obs, truncated = np.empty(0), False
        for _ in range(REPEATS):
            obs, _, _, truncated, _ = self.env.step(action)
        return np.asarray(obs, np.float32), 0.0, False, truncated, {}


def _east(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return a tenth of the x position."""
    return 0.1 * obs_next[:, 0]
