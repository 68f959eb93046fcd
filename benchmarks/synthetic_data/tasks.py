"""Environments whose reward and next observation are known for any observation and action.

`Task`     environment with its data, its reward and its simulator
`TASKS`    tasks by name
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import gymnasium as gym
import numpy as np
from jaxtyping import Float

from benchmarks.preferences.worlds import WORLDS, World, swing_up
from benchmarks.world_models.tasks import pendulum_reward
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.maze.point_maze import GridReward, PointMazeTask
from rlpriors.envs.rollout import rollout
from rlpriors.types import RewardFn

__all__ = ["TASKS", "Task"]


@dataclass
class Task:
    """Environment with data of mixed quality, its reward and its simulator."""

    name: str
    """Name in tables, and of the environment and its data in the preference benchmark."""
    n_episodes: int
    """Number of recorded episodes."""
    set_state: Callable[[Any, Float[np.ndarray, " obs"]], None]
    """Function that puts an unwrapped environment into the state of an observation."""
    make_reward: Callable[[World], RewardFn]
    """Function that returns the reward of the environment."""
    make_expert: Callable[[World, int], EpisodeStore]
    """Function that returns 20 episodes of a scripted expert, by a seed."""

    @cached_property
    def world(self) -> World:
        """Environment and the collection of its data."""
        return WORLDS[self.name]()

    @cached_property
    def reward(self) -> RewardFn:
        """Reward of the environment, a function of the transition."""
        return self.make_reward(self.world)

    def data(self, seed: int, n_episodes: int | None = None) -> EpisodeStore:
        """Return the recorded episodes of a seed, or `n_episodes`, with their rewards."""
        episodes = self.world.collect(n_episodes or self.n_episodes, 1000 * (seed + 1))
        store = EpisodeStore.from_episodes(episodes, action_space=self.world.spaces[1])
        return store.relabel(self.reward)

    def expert(self, seed: int) -> EpisodeStore:
        """Return 20 episodes of a scripted expert, with their rewards."""
        return self.make_expert(self.world, seed).relabel(self.reward)

    def next_obs(
        self, obs: Float[np.ndarray, "n obs"], act: Float[np.ndarray, "n act"]
    ) -> Float[np.ndarray, "n obs"]:
        """Return the simulator's next observations."""
        env = self.world.make()
        env.reset(seed=0)
        found = []
        for state, action in zip(obs, act, strict=True):
            self.set_state(env.unwrapped, state.astype(np.float64))
            found.append(env.step(action)[0])
        env.close()
        return np.array(found, np.float32)

    def dynamics_error(
        self, store: EpisodeStore, scale: Float[np.ndarray, " obs"], n: int, seed: int
    ) -> float:
        """Return the mean distance of next observations to the simulator's, in `n` random transitions.

        Args:
            store: trajectories.
            scale: unit of each entry of the observation.
            n: number of transitions.
            seed: random seed of the transitions.
        """
        rng = np.random.default_rng(seed)
        steps = store.transitions(rng.choice(store.n_steps, min(n, store.n_steps), replace=False))
        true = self.next_obs(steps.obs.numpy(), steps.act.numpy())
        return float(np.linalg.norm((steps.obs_next.numpy() - true) / scale, axis=1).mean())


def _set_pendulum(env: gym.Env[Any, Any], obs: Float[np.ndarray, " obs"]) -> None:
    """Set angle and speed; a synthetic cosine and sine may have another length than 1."""
    cast(Any, env).state = np.array([np.arctan2(obs[1], obs[0]), obs[2]])


def _set_maze(env: gym.Env[Any, Any], obs: Float[np.ndarray, " obs"]) -> None:
    """Set position and velocity of the point."""
    cast(Any, env).point_env.set_state(obs[:2], obs[2:])


def _swing_up(world: World, seed: int) -> EpisodeStore:
    return EpisodeStore.from_episodes(rollout(world.make, lambda: swing_up, 20, seed))


def _walk_to_goal(world: World, seed: int) -> EpisodeStore:
    return cast(PointMazeTask, world.task).demonstrations(20, seed)


def _maze_reward(world: World) -> RewardFn:
    return GridReward(cast(PointMazeTask, world.task), 1.0)


TASKS = {
    "pendulum": Task("pendulum", 20, _set_pendulum, lambda world: pendulum_reward, _swing_up),
    "umaze": Task("umaze", 40, _set_maze, _maze_reward, _walk_to_goal),
}
"""Swing-up of Pendulum, by a noisy controller with 0 to 100 % random actions; a U-shaped maze, by walks
between random places and random actions."""
