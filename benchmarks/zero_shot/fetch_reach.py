"""Gripper of FetchReach between random places, without a goal in its observations.

`FetchReachWorld`  world of the gripper
"""

from collections.abc import Callable
from functools import partial
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from rlpriors.agents import ZeroShotSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.make import make_env
from rlpriors.envs.rollout import EnvPolicy, rollout
from rlpriors.types import RewardFn
from rlpriors.wrappers.flat_observation import FlatObservation

__all__ = ["FetchReachWorld"]

CENTER = np.array([1.34, 0.75, 0.53], np.float32)  # of the gripper at the start of an episode
SEEN = [0, 1, 2, 5, 6, 7]  # entries of the observation: position and speed of the gripper
REACH = 0.15  # of goals along each axis, as in FetchReach
GOALS = {"goal-distance": (0.12, 0.12, 0.1), "other-end": (-0.12, -0.12, -0.08)}
"""Places around the center, whose distances are rewards."""


class FetchReachWorld:
    """FetchReach without its goals: observations are position and speed of the gripper, actions its motion.

    The fingers stay closed and are not observed: the data never move them, so that any policy that did would
    leave the data.

    The walker moves the gripper between random places within 0.15 of the center along each axis, with noise
    on its actions.
    """

    task_entries = (0, 1, 2)
    radius = 0.05
    settings = ZeroShotSettings(dim=32, hidden=(64, 64), gamma=0.9, tau=0.02, bc_weight=0.1)

    def make(self, start: Float[np.ndarray, "3"] | None = None) -> gym.Env[Any, Any]:
        """Return the environment, whose episodes have one start."""
        env = FlatObservation(make_env("FetchReachDense-v4", max_episode_steps=50), ("observation",))
        seen = gym.spaces.Box(-np.inf, np.inf, (len(SEEN),), np.float32)
        return gym.wrappers.TransformAction(
            gym.wrappers.TransformObservation(env, lambda obs: obs[SEEN], seen),
            lambda act: np.append(act, 0.0).astype(np.float32),
            gym.spaces.Box(-1.0, 1.0, (3,), np.float32),
        )

    def collect(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes between random places."""
        rng = np.random.default_rng(seed)
        return self._walk(n_episodes, seed, lambda: _Walker(rng, None))

    def demonstrations(self, n_episodes: int, seed: int) -> EpisodeStore:
        """Return episodes that go to the goal of the reward "goal-distance" and stay there."""
        rng = np.random.default_rng(seed)
        return self._walk(n_episodes, seed, lambda: _Walker(rng, CENTER + GOALS["goal-distance"]))

    def rewards(self) -> dict[str, RewardFn]:
        """Return minus the distance to two places, and the height of the gripper."""
        rewards: dict[str, RewardFn] = {
            name: partial(_minus_distance, torch.from_numpy(CENTER + np.array(goal, np.float32)))
            for name, goal in GOALS.items()
        }
        return {**rewards, "height": _height}

    def trials(self, n: int, seed: int) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 3"]]:
        """Return random goals; the start is the center."""
        rng = np.random.default_rng((2, seed))
        return np.tile(CENTER, (n, 1)), CENTER + rng.uniform(-REACH, REACH, (n, 3)).astype(np.float32)

    def far(
        self, starts: Float[np.ndarray, "n 3"], goals: Float[np.ndarray, "n 3"]
    ) -> Bool[np.ndarray, " n"]:
        """Return True where the distance is at least 0.15."""
        return np.asarray(np.linalg.norm(goals - starts, axis=1) >= REACH)

    def _walk(self, n_episodes: int, seed: int, walker: Callable[[], EnvPolicy]) -> EpisodeStore:
        env = self.make()
        episodes = rollout(lambda: env, walker, n_episodes, seed)
        store = EpisodeStore.from_episodes(episodes, action_space=env.action_space)
        return store.relabel(_nothing)  # the environment's own reward is of a hidden goal


class _Walker:
    """Proportional control of the gripper to a goal, or to random places one after the other."""

    def __init__(self, rng: np.random.Generator, goal: np.ndarray | None) -> None:
        self.rng, self.goal, self.rest = rng, goal, 0
        self.wanders = goal is None
        if goal is None:
            self._draw()

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        at = cast(Any, env.unwrapped)._get_obs()["observation"][:3]
        offset = cast(np.ndarray, self.goal) - at
        if self.wanders and np.linalg.norm(offset) < 0.03:
            self.rest -= 1
            if self.rest < 0:
                self._draw()
        act = 10 * offset + 0.3 * self.rng.standard_normal(3)
        return np.asarray(np.clip(act, -1, 1), np.float32)

    def _draw(self) -> None:
        self.goal = CENTER + self.rng.uniform(-REACH, REACH, 3)
        self.rest = int(self.rng.integers(2, 10))


def _minus_distance(goal: Tensor, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    distance: Tensor = (obs_next[:, :3] - goal).norm(dim=1)
    return -10 * distance


def _height(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    return 10 * (obs_next[:, 2] - float(CENTER[2]))


def _nothing(obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
    return torch.zeros(len(obs))
