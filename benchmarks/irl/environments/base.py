"""Interface of the evaluation environments of reward learning.

`Budget`         amount of data and training that all methods share
`IRLEnvironment` data, true rewards and scores of an environment
`Metrics`        scores by name
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv

from benchmarks.irl.environments.truths import truth_metrics
from benchmarks.irl.policies import PolicyBudget, StandardizedReward, fixed_returns, train_policy
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.envs.rollout import random_policy, rollout
from rlpriors.evaluation.rewards.trajectory_sets import TrajectorySet
from rlpriors.types import RewardFn

__all__ = ["Budget", "IRLEnvironment", "Metrics", "reseed"]

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
    reference_steps: int = 10_000
    """Steps of random play, for methods that compare demonstrations with it."""

    @classmethod
    def quick(cls) -> "Budget":
        """Return a budget of some seconds, to test that all parts run."""
        return cls(12, 20, 4, 2, 0.5, 20, 320, 2, 6, 300)


class IRLEnvironment(ABC):
    """Data, true rewards and scores of an environment.

    There are two true rewards.  The *step* reward is the reward of a single step.  *Progress* is the value of
    the state: minus the distance to the goal, or the discounted future reward of the recorded episode.
    """

    name: str
    recipe_name: Any = "umaze"
    """Settings of the original recipe: a name of `original_recipe`."""
    horizon: int
    stride: int
    execute: int
    gamma: float = 0.99
    n_demonstrations: int = 20
    obs_keys: tuple[str, ...] | None = None
    obs_index: tuple[int, ...] | None = None
    """Entries of the observation that the task depends on; None if no such choice exists."""
    budget: Budget
    policy_budget: PolicyBudget | None = PolicyBudget()
    """Algorithm and budget of policies trained on a reward; None if no budget of ours trains one."""
    discrete_actions: bool = False
    has_early_data: bool = False
    own_reward: bool = False
    """True if the environment itself returns the true reward of a step."""
    plans: bool = True
    """True if planning with a reward is evaluated."""
    changes: tuple[str, ...] = ("same",)
    """Environments in which a policy is trained on the reward alone; "same" is the unchanged environment."""
    seed: int
    """Seed of the running cell; set before anything is scored."""

    @abstractmethod
    def data(self, seed: int, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        """Return the data of the prior, and all demonstrations."""

    def random_data(self, seed: int) -> EpisodeStore:
        """Return episodes of uniformly random actions, of `reference_steps` steps or little more."""

        def episodes() -> Iterator[Episode]:
            n_steps = 0
            for episode in rollout(self.flat_env, random_policy(seed), 10**9, seed):
                yield episode
                n_steps += len(episode.rew)
                if n_steps >= self.budget.reference_steps:
                    return

        return EpisodeStore.from_episodes(episodes())

    def early_data(self, seed: int) -> EpisodeStore | None:
        """Return episodes of the first part of an agent's training; None where no such data exist."""
        return None

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

    @property
    @abstractmethod
    def trajectory_sets(self) -> tuple[TrajectorySet, ...]:
        """Sets of new episodes on which rewards are compared: base coverage first."""

    @property
    def step_reward(self) -> RewardFn | None:
        """True reward of a step as a function; None if only recorded rewards are known."""
        return None

    @property
    def progress(self) -> RewardFn | None:
        """Value of the state as a function; None for the discounted future reward of recorded episodes."""
        return None

    def score_truths(self, reward: RewardFn) -> Metrics:
        """Compare with both true rewards, on the base coverage and on that with demonstrations."""
        base, mixed, *_ = self.trajectory_sets
        truths = {"step": self.step_reward, "progress": self.progress}
        metrics: Metrics = {}
        for suffix, part in (("", base), ("_mixed", mixed)):
            for name, truth in truths.items():
                metrics |= truth_metrics(reward, part.store, name, truth, self.gamma, suffix)
        return metrics

    def true_return(self, store: EpisodeStore) -> float:
        """Return the mean true return of episodes."""
        return float(store.rew.sum(dtype=np.float64) / store.n_episodes)

    def score_trained_policy(
        self,
        reward: RewardFn,
        data: EpisodeStore,
        seed: int,
        *,
        oracle: bool = False,
        keep_zero: bool = False,
    ) -> Metrics:
        """Train a policy from scratch on the reward alone, and return its true return and success.

        `keep_zero` is for rewards whose zero is the reward after a termination: they are only scaled.
        """
        budget = self.policy_budget
        assert budget is not None
        gamma, std = budget.algorithm.gamma, budget.reward_std
        used: RewardFn | None = StandardizedReward(
            reward, data, gamma=gamma, std=std, absorbing=not (oracle or keep_zero)
        )
        if oracle and self.own_reward:
            used = None
        policy = train_policy(self.spaces, self.vector, used, budget, data, seed)
        return {f"policy_{name}": value for name, value in self.score_policy(policy, seed + 1).items()}

    def score_fixed_actions(self, seed: int) -> dict[str, float]:
        """Return the true returns of random actions and of the zero action."""
        assert self.policy_budget is not None
        return fixed_returns(self.flat_env, self.policy_budget.episodes, seed, self.true_return)

    def score_changed(
        self, reward: RewardFn, data: EpisodeStore, seed: int, changes: tuple[str, ...]
    ) -> Metrics:
        """Return the scores of policies trained on `reward` alone, one in each changed environment."""
        raise NotImplementedError(f"{self.name} has no changed environments.")

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
