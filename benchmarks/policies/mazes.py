"""Point mazes of the policy benchmark: data of a scripted walker, and new places as goals.

`MAZES`       mazes by name
`MazeWorld`   data and goals of a maze
"""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.point_maze import OBS_KEYS, PointMazeTask, make_task
from rlpriors.training.rollout import evaluate_policy

__all__ = ["MAZES", "MazeWorld"]


class MazeWorld(NamedTuple):
    """Data and goals of a maze."""

    task: PointMazeTask
    """Maze, without its own goal."""
    far: float
    """Length of the shortest way from the start from which on a goal counts as far."""

    obs_keys: Sequence[str] | None = OBS_KEYS
    """Leaves of the observation that policies read."""

    @property
    def action_space(self) -> gym.Space[Any]:
        """Action space of the maze."""
        return self.task.env_factory().action_space

    def data(self, n_episodes: int, seed: int, folder: Path) -> EpisodeStore:
        """Return the walker's episodes, which are recorded once and kept in `folder`."""
        rows, columns = self.task.maze.free.shape
        path = folder / f"maze-{rows}x{columns}-{n_episodes}-seed{seed}.safetensors"
        if not path.exists():
            self.task.data(n_episodes, seed, n_workers=1).save(path)
        return EpisodeStore.load(path)

    def goals(self, n: int, seed: int) -> Float[np.ndarray, "n 2"]:
        """Return random places of the maze, which do not depend on the data."""
        rng = np.random.default_rng((2, seed))
        xy = self.task.maze.grid(resolution=0.1, margin=0.2)
        return np.asarray(xy[rng.choice(len(xy), n)], np.float32)

    def evaluate(
        self,
        toward: Callable[[Float[np.ndarray, "n 2"]], Policy],
        goals: Float[np.ndarray, "n 2"],
        seed: int,
    ) -> dict[str, float]:
        """Return success, success on far goals and the number of steps, one episode for each goal.

        Steps count the whole episode where the goal is missed.  `toward` returns the policy that acts toward
        the given goals, one for each episode.
        """
        episodes = evaluate_policy(
            toward(goals), self.task.env_factory, len(goals), seed=seed, obs_keys=OBS_KEYS
        )
        # Episodes are in the order of their environments, because all have the same length.
        xy = np.array([episodes.episode(i).obs[:, :2] for i in range(len(goals))])
        at_goal = np.linalg.norm(xy - goals[:, None], axis=2) <= self.task.goal_radius
        reached = at_goal.any(1)
        steps = np.where(reached, at_goal.argmax(1), at_goal.shape[1])
        ways = [
            self.task.maze.geodesic(start[None].astype(np.float64), goal.astype(np.float64))[0]
            for start, goal in zip(xy[:, 0], goals, strict=True)
        ]
        far = np.array(ways) >= self.far
        values = {"success": float(reached.mean()), "steps": float(steps.mean())}
        return values | ({"success-far": float(reached[far].mean())} if far.any() else {})


MAZES = {
    "umaze": MazeWorld(make_task(layout="umaze", max_episode_steps=200), far=4.0),
    "ring": MazeWorld(make_task(layout="ring", max_episode_steps=250), far=6.0),
}
"""Mazes by name: a U, and a ring with two ways to each place."""
