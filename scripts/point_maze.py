"""The demo's world: a point in a maze, its data, its hidden goal and what success means there."""

from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import dataclass, field
from functools import partial
from io import StringIO
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from tianshou.data import Collector, CollectStats, VectorReplayBuffer
from tianshou.env import DummyVectorEnv
from torch import Tensor

from rlpriors.agents import DiffuserPolicy
from rlpriors.data.buffers import from_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.generate import WaypointController, WaypointSettings, rollout
from rlpriors.data.maze import Maze
from rlpriors.types import RewardFn

__all__ = ["OBS_KEYS", "PointMazeTask", "make_env", "make_task"]

OBS_KEYS = ("observation",)
"""x, y, vx, vy.  The goals that the environment itself shows are left out: they mean nothing here."""


def make_env(max_episode_steps: int = 300, **kwargs: Any) -> gym.Env[Any, Any]:
    """PointMaze_UMaze-v3 that never terminates, so that staying at a place can be seen."""
    with redirect_stderr(StringIO()):  # it prints news about other environments when imported
        import gymnasium_robotics

    gym.register_envs(gymnasium_robotics)
    return gym.make("PointMaze_UMaze-v3", continuing_task=True, max_episode_steps=max_episode_steps, **kwargs)


@dataclass(frozen=True)
class PointMazeTask:
    """A maze and a goal in it that only the demonstrations know."""

    maze: Maze
    goal: tuple[float, float]
    steps: int
    """Length of an episode."""
    radius: float = 0.45
    """Being this near to the goal is being there."""
    last: int = 30
    """Final steps that must all be there for an episode to count as staying."""
    _envs: dict[int, DummyVectorEnv] = field(default_factory=dict, repr=False, compare=False)
    # Made once for each number of episodes: MuJoCo holds some 12 MB for each, and gives little back.

    def data(self, n_episodes: int, seed: int, workers: int) -> EpisodeStore:
        """Travels between random places with rests: what the prior learns from."""
        episodes = rollout(
            self.env_factory, n_episodes, WaypointSettings(max_steps=self.steps), seed=seed, workers=workers
        )
        return EpisodeStore.from_episodes(episodes, OBS_KEYS)

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Ways to the goal from random places, and stays there."""
        settings = WaypointSettings(goal=self.goal, max_steps=self.steps)
        return EpisodeStore.from_episodes(
            rollout(self.env_factory, n_episodes, settings, seed=seed), OBS_KEYS
        )

    @property
    def env_factory(self) -> Callable[[], gym.Env[Any, Any]]:
        """Makes one environment."""
        return partial(make_env, self.steps)

    def distance(self, xy: Float[np.ndarray, "points 2"]) -> Float[np.ndarray, " points"]:
        """Length of the shortest way to the goal."""
        return self.maze.geodesic(xy.astype(np.float64), self.goal)

    def oracle(self, weight: float = 0.5) -> RewardFn:
        """-weight times the distance to the goal, differentiable by interpolation over a fine grid."""
        return GridReward(self, weight)

    def closed_loop(self, policy: DiffuserPolicy, n_episodes: int, seed: int) -> EpisodeStore:
        """Let the policy act in the simulator, all episodes side by side."""
        if n_episodes not in self._envs:
            self._envs[n_episodes] = DummyVectorEnv([self.env_factory] * n_episodes)
        envs = self._envs[n_episodes]
        envs.seed(seed)
        policy.reseed(seed)
        buffer = VectorReplayBuffer(n_episodes * self.steps, n_episodes)
        collector = Collector[CollectStats](policy, envs, buffer)
        collector.reset()
        with torch.no_grad():
            collector.collect(n_episode=n_episodes)
        return from_buffer(buffer, OBS_KEYS)

    def reached(self, store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
        """Which episodes were at the goal at any time."""
        return np.array([self._there(store, i).any() for i in range(store.n_episodes)])

    def stayed(self, store: EpisodeStore) -> Bool[np.ndarray, " episodes"]:
        """Which episodes spent all of their final steps at the goal."""
        return np.array([self._there(store, i)[-self.last :].all() for i in range(store.n_episodes)])

    def _there(self, store: EpisodeStore, episode: int) -> Bool[np.ndarray, " frames"]:
        away = store.episode(episode).obs[:, :2] - np.array(self.goal)
        there: np.ndarray = np.hypot(*away.T) <= self.radius
        return there


class GridReward:
    """-weight times the shortest way to a task's goal, read off a grid with bilinear interpolation."""

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


def make_task(goal: tuple[float, float] = (-1.0, -1.0), steps: int = 300) -> PointMazeTask:
    """The U-maze with a goal at the end of one arm, unless told otherwise.

    Raises:
        ValueError: the goal is not in free space.
    """
    env = make_env(steps)
    maze = Maze.from_env(env)
    env.close()
    WaypointController(maze, WaypointSettings(goal=goal), np.random.default_rng(0))  # checks the goal
    return PointMazeTask(maze, goal, steps)
