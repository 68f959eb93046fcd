"""Environments with mixed-quality data whose true rewards are hidden from the methods.

`World`   an environment, its data and its evaluation
`WORLDS`  the environments by name

All episodes have the same number of steps and never terminate, so that a constant added to a reward changes
nothing.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.control_experts import ReachGoal, mix_random
from rlpriors.envs.make import make_env
from rlpriors.envs.maze.controllers import WaypointSettings
from rlpriors.envs.maze.point_maze import OBS_KEYS, GridReward, PointMazeTask, make_task
from rlpriors.envs.maze.waypoint_rollout import waypoint_rollout
from rlpriors.envs.rollout import EnvPolicy, rollout
from rlpriors.training.rollout import evaluate_policy
from rlpriors.wrappers.flat_observation import FlatObservation

__all__ = ["WORLDS", "World"]


@dataclass
class World:
    """Environment with data of mixed quality."""

    name: str
    """Name in tables."""
    make: Callable[[], gym.Env[Any, Any]]
    """Function that makes the environment, with vectors for observations."""
    collect: Callable[[int, int], Iterator[Episode]]
    """Function from a number of episodes and a seed to episodes of mixed quality."""
    n_episodes: int
    """Number of episodes of the data; the held-out data have half as many."""
    length: int
    """Number of steps of a compared segment."""
    obs_index: tuple[int, ...] | None = None
    """Entries of the observation that rewards read; None for all."""
    n_evaluations: int = 20
    """Number of episodes in which a policy is evaluated."""
    task: PointMazeTask | None = None
    """Maze task, whose reward replaces the environment's."""

    def data(self, seed: int) -> tuple[EpisodeStore, EpisodeStore]:
        """Return the data and held-out data of a seed, with true rewards."""
        seeds = (int(s) % 2**31 for s in np.random.SeedSequence((seed, 20)).generate_state(2))
        return self._store(self.n_episodes, next(seeds)), self._store(self.n_episodes // 2, next(seeds))

    def mean_return(self, policy: Policy, seed: int) -> float:
        """Return the mean true return of a policy, without exploration."""
        episodes = evaluate_policy(policy, self._envs, self.n_evaluations, seed=seed)
        return float(self._with_true_rewards(episodes).rew.sum(dtype=np.float64) / episodes.n_episodes)

    @cached_property
    def spaces(self) -> tuple[gym.Space[Any], gym.Space[Any]]:
        """Observation and action space."""
        env = self.make()
        env.close()
        return env.observation_space, env.action_space

    @cached_property
    def _envs(self) -> DummyVectorEnv:
        # One set for everything: MuJoCo frees little memory.
        return DummyVectorEnv([self.make] * self.n_evaluations)

    def _store(self, n: int, seed: int) -> EpisodeStore:
        store = EpisodeStore.from_episodes(self.collect(n, seed), action_space=self.spaces[1])
        return self._with_true_rewards(store)

    def _with_true_rewards(self, store: EpisodeStore) -> EpisodeStore:
        return store if self.task is None else store.relabel(GridReward(self.task, 1.0))


def _umaze() -> World:
    """Return a U-shaped maze whose goal no observation contains; no episode of the data is meant for it."""
    task = make_task(max_episode_steps=150)

    def make() -> gym.Env[Any, Any]:
        return FlatObservation(task.env_factory(), OBS_KEYS)

    def collect(n: int, seed: int) -> Iterator[Episode]:
        n_random = n // 3
        settings = WaypointSettings(max_episode_steps=task.max_episode_steps)
        factory = task.env_factory
        for episode in waypoint_rollout(factory, n - n_random, settings, seed=seed, progress=False):
            yield episode._replace(obs=episode.obs["observation"])
        yield from _random(make, n_random, seed)

    return World("umaze", make, collect, n_episodes=90, length=25, task=task)


def _pendulum() -> World:
    """Return Pendulum; a share of actions is random, which is drawn from 0..1 for each episode."""

    def make() -> gym.Env[Any, Any]:
        return make_env("Pendulum-v1")

    def collect(n: int, seed: int) -> Iterator[Episode]:
        return rollout(*_seeded(make, lambda: swing_up, 0.0, 1.0, seed), n, seed)

    return World("pendulum", make, collect, n_episodes=60, length=25)


def _fetch_reach() -> World:
    """Return FetchReach; a share of actions is random, which is drawn from 0.3..1 for each episode."""

    def make() -> gym.Env[Any, Any]:
        env = make_env("FetchReachDense-v4", max_episode_steps=25)
        return FlatObservation(env, ("observation", "desired_goal"))

    def collect(n: int, seed: int) -> Iterator[Episode]:
        return rollout(*_seeded(make, ReachGoal, 0.3, 1.0, seed), n, seed)

    # The positions of gripper and goal; fingers and speeds are left out.
    positions = (0, 1, 2, 10, 11, 12)
    return World("fetchreach", make, collect, n_episodes=200, length=5, obs_index=positions)


WORLDS: dict[str, Callable[[], World]] = {
    "pendulum": _pendulum,
    "umaze": _umaze,
    "fetchreach": _fetch_reach,
}


def swing_up(env: gym.Env[Any, Any]) -> np.ndarray:
    """Return an action that pumps energy into the pendulum, and holds it upright near the top."""
    angle, speed = cast(Any, env.unwrapped).state
    angle = (angle + np.pi) % (2 * np.pi) - np.pi
    energy = speed**2 / 6 + 5 * (np.cos(angle) - 1)  # 0 at rest upright
    if np.cos(angle) > 0.9:
        torque = -10 * angle - 2 * speed
    else:
        torque = -1.5 * energy * speed if abs(speed) > 0.05 else 1.0
    return np.array([np.clip(torque, -2, 2)], np.float32)


def _seeded(
    make: Callable[[], gym.Env[Any, Any]],
    expert: Callable[[], EnvPolicy],
    low: float,
    high: float,
    seed: int,
) -> tuple[Callable[[], gym.Env[Any, Any]], Callable[[], EnvPolicy]]:
    """Return an environment with seeded random actions, and the expert with random actions mixed in."""

    def make_seeded() -> gym.Env[Any, Any]:
        env = make()
        env.action_space.seed(seed)
        return env

    return make_seeded, mix_random(expert, low, high, np.random.default_rng(seed))


def _random(make: Callable[[], gym.Env[Any, Any]], n: int, seed: int) -> Iterator[Episode]:
    def nothing(env: gym.Env[Any, Any]) -> np.ndarray:
        return np.zeros(env.action_space.shape or (), np.float32)

    return rollout(*_seeded(make, lambda: nothing, 1.0, 1.0, seed), n, seed)
