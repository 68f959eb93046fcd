"""Environments of the zero-shot benchmark, by name.

`World`        data, starts, goals and rewards of an environment
`WORLDS`       functions that make a world, by name
`load_data`    data of a world, which are recorded once
`vector_env`   environments with given starts
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from jaxtyping import Bool, Float
from tianshou.env import DummyVectorEnv

from benchmarks.zero_shot.fetch_reach import FetchReachWorld
from benchmarks.zero_shot.point_mazes import PointMazeWorld
from rlpriors.agents import ZeroShotSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.types import RewardFn

__all__ = ["WORLDS", "World", "load_data", "vector_env"]

Points = Float[np.ndarray, "n entries"]


class World(Protocol):
    """Data, starts, goals and rewards of an environment.

    Observations are vectors.  All episodes have the same number of steps and never terminate.  Goals and
    starts are the entries `task_entries` of an observation.
    """

    @property
    def task_entries(self) -> tuple[int, ...]:
        """Entries of the observation that tasks depend on."""
        ...

    @property
    def radius(self) -> float:
        """Distance within which a goal is reached."""
        ...

    @property
    def settings(self) -> ZeroShotSettings:
        """Settings of zero-shot agents, whose features are replaced."""
        ...

    def make(self, start: Points | None = None) -> gym.Env[Any, Any]:
        """Return the environment; None draws the start of each episode."""
        ...

    def collect(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes of the scripted walker, which goes between random places."""
        ...

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes that go to the goal of the reward "goal-distance" and stay there."""
        ...

    def rewards(self) -> dict[str, RewardFn]:
        """Return the true rewards by name; they contain "goal-distance" and "other-end"."""
        ...

    def trials(self, n: int, seed: int) -> tuple[Points, Points]:
        """Return starts and goals."""
        ...

    def far(self, starts: Points, goals: Points) -> Bool[np.ndarray, " n"]:
        """Return True where the way is long."""
        ...


WORLDS: dict[str, Callable[[], World]] = {
    "fetch-reach": FetchReachWorld,
    "pointmaze-medium": partial(PointMazeWorld, "medium"),
    "pointmaze-large": partial(PointMazeWorld, "large"),
}
"""Functions that make a world, by name."""

N_EPISODES = {"pointmaze-medium": 300, "pointmaze-large": 400, "fetch-reach": 300}
"""Number of episodes of the data."""


def load_data(name: str, folder: Path, seed: int) -> EpisodeStore:
    """Return the data of a world and seed, which are recorded once and kept in `folder`."""
    path = folder / f"{name}-data-seed{seed}.safetensors"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        WORLDS[name]().collect(N_EPISODES[name], seed).save(path)
    return EpisodeStore.load(path)


def vector_env(world: World, starts: Points) -> DummyVectorEnv:
    """Return one environment for each start."""
    return DummyVectorEnv([partial(world.make, start) for start in starts])
