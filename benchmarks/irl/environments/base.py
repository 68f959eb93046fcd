"""Interface of the evaluation environments of reward learning.

`Budget`         amount of data and training that all methods share
`IRLEnvironment` data, true reward and scores of an environment
`Metrics`        scores by name
`reward_std`     standard deviation of a reward on data
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv

from rlpriors.data.episodes import EpisodeStore
from rlpriors.types import RewardFn

__all__ = ["Budget", "IRLEnvironment", "Metrics", "reseed", "reward_std"]

Metrics = dict[str, float]


@dataclass(frozen=True)
class Budget:
    """Amount of data and training that all methods share."""

    data_episodes: int = 400
    prior_updates: int = 4000
    reward_updates: int = 800
    backprop_updates: int = 150
    """Updates of rewards that are learned through the sampler; one takes several times as long as others."""
    original_recipe_seconds: float = 60.0
    cloning_updates: int = 2000
    env_steps: int = 25_600
    """Environment steps of every algorithm that acts in the environment."""
    episodes: int = 100
    """Episodes of an evaluation."""
    trajectories: int = 500
    """Episodes of each set on which rewards are compared."""

    @classmethod
    def quick(cls) -> "Budget":
        """Return a budget of some seconds, to test that all parts run."""
        return cls(12, 20, 4, 2, 0.5, 20, 320, 2, 6)


class IRLEnvironment(ABC):
    """Data, true reward and scores of an environment."""

    name: str
    recipe_name: Any = "umaze"
    """Settings of the original recipe: a name of `original_recipe`."""
    horizon: int
    stride: int
    execute: int
    max_start: int | None
    obs_keys: tuple[str, ...] | None = None
    obs_index: tuple[int, ...] | None = None
    """Entries of the observation that the task depends on; None if no such choice exists."""
    budget: Budget
    changes: tuple[str, ...] = ("same",)
    """Environments in which a policy is trained on the reward alone; "same" is the unchanged environment."""
    transfer_metric: str = "rl_success_same"
    """Metric that marks a finished `score_transfer`."""
    seed: int
    """Seed of the running cell; set before anything is scored."""

    @abstractmethod
    def data(self, seed: int, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        """Return the data of the prior, and 20 demonstrations or all that exist."""

    @property
    @abstractmethod
    def flat_env(self) -> Any:
        """Factory of one environment with vector observations."""

    @abstractmethod
    def oracle(self) -> RewardFn:
        """Return the true reward, for guided planning."""

    @abstractmethod
    def score_policy(self, policy: Policy, seed: int) -> Metrics:
        """Return success and return of a policy."""

    @abstractmethod
    def score_reward(self, reward: RewardFn, data: EpisodeStore) -> Metrics:
        """Return correlations and distances between a reward and the true reward."""

    @abstractmethod
    def score_transfer(
        self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]
    ) -> Metrics:
        """Return the scores of policies trained on `reward` alone, one in each changed environment."""

    @cached_property
    def vector(self) -> DummyVectorEnv:
        """Sixteen environments, created once because MuJoCo frees little memory."""
        return DummyVectorEnv([self.flat_env] * 16)

    @cached_property
    def spaces(self) -> tuple[gym.Space[Any], gym.Space[Any]]:
        """Observation and action space of `flat_env`."""
        env = self.flat_env()
        env.close()
        return env.observation_space, env.action_space


def reseed(policy: Policy, seed: int) -> None:
    """Seed the noise of a planning policy; policies without such noise stay unchanged."""
    method = getattr(policy, "reseed", None)
    if method is not None:
        method(seed)


def reward_std(reward: RewardFn, data: EpisodeStore) -> float:
    """Return the standard deviation of a reward on at most 4000 steps of the data."""
    steps = np.random.default_rng(0).choice(data.n_steps, min(4000, data.n_steps), replace=False)
    with torch.no_grad():
        return float(reward(*data.transitions(steps)).std())
