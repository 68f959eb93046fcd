"""Grid world that is observed as features of images, by an encoder that ships with the library.

`EncodedGridEnvironment`  evaluation environment with the features of one rendered frame per state
`EncodedGrid`             wrapper that returns these features
`render_states`           frames of a grid world
"""

from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import UInt8

from benchmarks.irl.environments.gridworld import GridWorldEnvironment
from rlpriors.data.episodes import EpisodeStore
from rlpriors.encoders import load_encoder
from rlpriors.envs.gridworld.gridworld import GridWorld

__all__ = ["EncodedGrid", "EncodedGridEnvironment", "render_states"]

ENCODER = "rlpriors/atari-small"
N_FEATURES = 16
CELL = 9
"""Side of a cell, in pixels."""


@dataclass
class EncodedGridEnvironment(GridWorldEnvironment):
    """Grid world whose observations are the 16 first principal components of an encoder's features.

    A frame shows the walls and the agent, not the goal.  The components are those of the frames of all
    states.
    """

    name: str = "gridworld-pixels"
    changes: tuple[str, ...] = ("same", "slip")
    plans: bool = False

    @cached_property
    def state_obs(self) -> np.ndarray:
        """Features of each state, with mean 0 and a mean variance of 1."""
        encoder = load_encoder(ENCODER, device="cpu", progress=False)
        with torch.no_grad():
            features = encoder.encode(render_states(self.grid)).numpy().astype(np.float64)
        centered = features - features.mean(0)
        left, scale, _ = np.linalg.svd(centered, full_matrices=False)
        components = left[:, :N_FEATURES] * scale[:N_FEATURES]
        return (components / np.sqrt(components.var(0).mean())).astype(np.float32)

    @property
    def flat_env(self) -> Any:
        return partial(EncodedGrid.make, self.grid, self.state_obs)

    def observed(self, episodes: EpisodeStore) -> EpisodeStore:
        return replace(episodes, obs=self.state_obs[self.grid.state_of(episodes.obs)])

    def states_of(self, obs: np.ndarray) -> np.ndarray:
        distances = np.square(obs[:, None] - self.state_obs[None]).sum(-1)
        return np.asarray(distances.argmin(1))


class EncodedGrid(gym.ObservationWrapper[np.ndarray, Any, np.ndarray]):
    """Grid world with a table of observations, one for each state."""

    def __init__(self, env: GridWorld, table: np.ndarray) -> None:
        super().__init__(env)
        self.table = table
        self.observation_space = gym.spaces.Box(-np.inf, np.inf, table.shape[1:], np.float32)

    @classmethod
    def make(cls, grid: GridWorld, table: np.ndarray) -> "EncodedGrid":
        """Return a new environment like `grid`, with the observations of `table`."""
        return cls(grid.changed(), table)

    def observation(self, observation: np.ndarray) -> np.ndarray:
        grid = self.env
        assert isinstance(grid, GridWorld)
        row: np.ndarray = self.table[grid.state_of(observation[None])[0]]
        return row.copy()


def render_states(grid: GridWorld) -> UInt8[np.ndarray, "states height width 3"]:
    """Return a frame for each state: gray walls, black floor and a white agent."""
    free = grid.maze.free
    walls = np.kron(~free, np.ones((CELL, CELL), bool))
    frames = np.zeros((grid.n_states, *walls.shape, 3), np.uint8)
    frames[:, walls] = 128
    for state, (row, column) in enumerate(grid.maze.free_cells):
        rows, columns = (slice(i * CELL + 1, (i + 1) * CELL - 1) for i in (row, column))
        frames[state, rows, columns] = 255
    return frames
