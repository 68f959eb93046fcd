"""Environments of the zero-shot benchmark: data of a scripted walker, goals and rewards.

`WORLDS`  environments by name
`World`   data, goals and rewards of an environment
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.maze import Maze
from rlpriors.envs.maze.point_maze import PointMazeTask, make_task
from rlpriors.rewards import load_reward
from rlpriors.types import RewardFn

__all__ = ["WORLDS", "World"]


class World(NamedTuple):
    """Data, goals and rewards of an environment."""

    task: PointMazeTask
    """Point maze."""
    n_episodes: int
    """Number of episodes of the scripted walker, which goes between random positions."""
    corners: dict[str, tuple[float, float]]
    """Positions x, y whose distances are rewards, by the names of the rewards."""
    far: float
    """Length of the shortest way from the start from which on a goal counts as opposite."""

    def load_data(self, folder: Path, name: str, seed: int) -> EpisodeStore:
        """Return the walker's episodes, which are recorded once."""
        path = folder / f"{name}-data-seed{seed}.safetensors"
        if not path.exists():
            self.task.data(self.n_episodes, seed, n_workers=1).save(path)
        return EpisodeStore.load(path)

    def rewards(self, learned: Path | None) -> dict[str, RewardFn]:
        """Return the rewards by name; `learned` is the folder of a reward that DiffusionIRL learned."""
        found: dict[str, RewardFn] = {
            name: replace(self.task, goal=place).oracle() for name, place in self.corners.items()
        }
        found["east"] = _east
        if learned is not None:
            found["diffusion-irl"] = load_reward(learned, "cpu")
        return found

    def goals(self, n: int, seed: int) -> Float[np.ndarray, "n 4"]:
        """Return observations at random places of the maze, at rest."""
        rng = np.random.default_rng((2, seed))
        xy = self.task.maze.grid(resolution=0.1, margin=0.2)
        return np.concatenate([xy[rng.choice(len(xy), n)], np.zeros((n, 2))], 1).astype(np.float32)

    def opposite(
        self, starts: Float[np.ndarray, "n 2"], goals: Float[np.ndarray, "n obs"]
    ) -> Bool[np.ndarray, " n"]:
        """Return True where the shortest way is at least `far`."""
        maze: Maze = self.task.maze
        ways = [
            maze.geodesic(start[None].astype(np.float64), goal[:2].astype(np.float64))[0]
            for start, goal in zip(starts, goals, strict=True)
        ]
        return np.array(ways) >= self.far


def _east(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    """Return the x position."""
    return obs_next[:, 0]


def _umaze() -> World:
    task = make_task(layout="umaze")
    corners = {"goal-distance": (-1.0, -1.0), "other-end": (-1.0, 1.0), "middle": (1.0, 0.0)}
    return World(task, 200, corners, far=4.0)


def _large() -> World:
    task = make_task(layout="large")
    corners = {"goal-distance": (4.5, 3.0), "other-end": (-4.5, -3.0)}
    return World(task, 300, corners, far=8.0)


WORLDS: dict[str, Callable[[], World]] = {"umaze": _umaze, "large": _large}
"""Functions that make an environment, by name."""
