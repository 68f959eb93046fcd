"""Policies trained on a reward alone.

`PolicyBudget`        algorithm and budget that all rewards of an environment share
`StandardizedReward`  reward in units of its own spread, with absorbing terminal states
`make_agent`          untrained algorithm of a budget
`train_policy`        policy trained from scratch on a reward
`fixed_returns`       true returns of random actions and of the zero action
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import BaseVectorEnv
from torch import Tensor

from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.agents.online.factory import OnlineAlgorithm
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer
from rlpriors.envs.rollout import EnvPolicy, random_policy, rollout
from rlpriors.training.online import OnlineSettings, train_online
from rlpriors.types import RewardFn

__all__ = ["PolicyBudget", "StandardizedReward", "fixed_returns", "make_agent", "train_policy"]

N_STEPS = 4000
"""Number of steps on which a reward is standardized."""


@dataclass(frozen=True)
class PolicyBudget:
    """Algorithm and budget of the policies that are trained on a reward alone.

    All rewards of an environment share them, the true reward included.
    """

    algorithm: AlgorithmSettings = AlgorithmSettings("sac", lr=3e-3, gamma=0.97, tau=0.02)  # noqa: RUF009
    env_steps: int = 25_600
    random_steps: int = 1600
    update_per_step: float = 0.25
    reward_std: float = 1.0
    """Standard deviation of the reward on the prior's data, as the agent receives it."""
    episodes: int = 20
    """Number of episodes of the evaluation."""

    def quick(self) -> "PolicyBudget":
        """Return a budget of a second, to test that all parts run."""
        return replace(self, env_steps=320, random_steps=64, episodes=2)

    @property
    def online(self) -> OnlineSettings:
        return OnlineSettings(
            env_steps=self.env_steps, random_steps=self.random_steps, update_per_step=self.update_per_step
        )


class StandardizedReward:
    """Reward minus its mean, divided by its standard deviation, both on given data.

    No true reward is read.  The last state of an episode that terminates is absorbing: its transition is
    repeated forever, so that a reward r becomes r / (1 - gamma).  A constant that is added to the reward then
    changes all returns equally, and the arbitrary zero of a learned reward does not decide whether an agent
    prefers to end an episode.

    A reward that is constant on the data is not divided.

    Example:
        >>> data = EpisodeStore(np.array([[0.0], [2.0], [4.0]]), np.zeros((2, 1)), np.zeros(2),
        ...     np.array([False, True]), np.zeros(2, bool), np.array([2]))
        >>> reward = StandardizedReward(lambda obs, act, obs_next, terminated: obs[:, 0], data, gamma=0.5)
        >>> reward(*data.transitions()).tolist()  # 0 and 2 have the mean 1 and the deviation 1
        [-1.0, 2.0]
    """

    def __init__(
        self, reward: RewardFn, data: EpisodeStore, *, gamma: float, std: float = 1.0, absorbing: bool = True
    ) -> None:
        self.reward, self.absorbing_factor = reward, 1 / (1 - gamma) if absorbing else 1.0
        steps = np.random.default_rng(0).choice(data.n_steps, min(N_STEPS, data.n_steps), replace=False)
        with torch.no_grad():
            values = reward(*data.transitions(steps)).double()
        spread = float(values.std(correction=0))
        self.mean = float(values.mean()) if absorbing else 0.0
        self.scale = std / spread if spread > 1e-8 * max(1.0, abs(self.mean)) else 1.0

    def __call__(self, obs: Tensor, act: Tensor, obs_next: Tensor, terminated: Tensor) -> Tensor:
        """Return the standardized reward of each transition."""
        values = (self.reward(obs, act, obs_next, terminated) - self.mean) * self.scale
        return torch.where(terminated, values * self.absorbing_factor, values)


def make_agent(
    spaces: tuple[gym.Space[Any], gym.Space[Any]], settings: AlgorithmSettings, data: EpisodeStore, seed: int
) -> OnlineAlgorithm:
    """Return an untrained algorithm; normalized observations have the range of `data`, the prior's data."""
    normalizer = Normalizer.limits(data.obs) if settings.normalize_observations else None
    return make_algorithm(*spaces, settings, obs_normalizer=normalizer, device="cpu", seed=seed)


def train_policy(
    spaces: tuple[gym.Space[Any], gym.Space[Any]],
    vector: BaseVectorEnv,
    reward: RewardFn | None,
    budget: PolicyBudget,
    data: EpisodeStore,
    seed: int,
) -> Policy:
    """Return a policy trained from scratch on `reward`; None is the environment's own reward."""
    agent = make_agent(spaces, budget.algorithm, data, seed)
    train_online(agent, vector, reward=reward, settings=budget.online, seed=seed, progress=False)
    policy: Policy = agent.policy
    return policy


def fixed_returns(
    make_env: Callable[[], gym.Env[Any, Any]],
    n_episodes: int,
    seed: int,
    score: Callable[[EpisodeStore], float],
) -> dict[str, float]:
    """Return the mean true returns of random actions and of the zero action.

    The zero action of a Discrete space is its first action, which does nothing in the environments here.
    """

    def zero_action(env: gym.Env[Any, Any]) -> Any:
        space = env.action_space
        return 0 if isinstance(space, gym.spaces.Discrete) else np.zeros(space.shape or (), np.float32)

    policies: dict[str, Callable[[], EnvPolicy]] = {
        "random-action": random_policy(seed),
        "zero-action": lambda: zero_action,
    }
    return {
        name: score(EpisodeStore.from_episodes(rollout(make_env, policy, n_episodes, seed)))
        for name, policy in policies.items()
    }
