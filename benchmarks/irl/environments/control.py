"""Control tasks with scripted experts: Reacher, InvertedDoublePendulum, FetchReach and LunarLander.

`ControlEnvironment`  evaluation environment of all of them
`CONTROL_TASKS`       the tasks by name
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
from tianshou.algorithm.algorithm_base import Policy

from benchmarks.irl.environments import control_rewards
from benchmarks.irl.environments.base import Budget, IRLEnvironment, Metrics, reseed
from benchmarks.irl.environments.return_correlation import return_correlations
from benchmarks.irl.policies import PolicyBudget
from rlpriors.agents import AlgorithmSettings
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.control_experts import BalanceDoublePendulum, LandOnPad, ReachGoal, mix_random
from rlpriors.envs.experts import Reacher
from rlpriors.envs.make import make_env
from rlpriors.envs.rollout import EnvPolicy, rollout
from rlpriors.evaluation.rewards.trajectory_sets import TrajectorySet
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn
from rlpriors.wrappers.flat_observation import FlatObservation

__all__ = ["CONTROL_TASKS", "ControlEnvironment"]

EXPERT_EPISODES = 10
"""Number of held-out episodes of the expert in the mixed coverage."""


@dataclass
class ControlEnvironment(IRLEnvironment):
    """Control task with a scripted expert; the data of the prior are the expert with random actions mixed in.

    In each of these episodes an action is random with a probability that is drawn from `random_share`.
    """

    name: str
    env_id: str
    expert: Callable[[], EnvPolicy]
    true_reward: RewardFn
    """Reward of a step as a function of the transition; tests compare it with the environment's."""
    policy_budget: PolicyBudget | None
    obs_leaves: tuple[str, ...] | None = None
    """Leaves of a Dict observation that the flat observation consists of."""
    n_demonstrations: int = 20
    random_share: tuple[float, float] = (0.3, 1.0)
    horizon: int = 16
    stride: int = 1
    execute: int = 4
    gamma: float = 0.97
    recipe_name: Any = "halfcheetah"
    own_reward: bool = True
    discrete_actions: bool = False
    plans: bool = False
    budget: Budget = field(default_factory=lambda: Budget(episodes=20, trajectories=100))
    max_episode_steps: int | None = None

    @property
    def flat_env(self) -> Any:
        return partial(flat_control, self.env_id, self.obs_leaves, self.max_episode_steps)

    def data(self, seed: int, n_workers: int) -> tuple[EpisodeStore, EpisodeStore]:
        data_seed, demo_seed = (int(s) % 2**31 for s in np.random.SeedSequence(seed).generate_state(2))
        return self._base(self.budget.data_episodes, data_seed), self._experts(
            self.n_demonstrations, demo_seed
        )

    def _base(self, n: int, seed: int) -> EpisodeStore:
        rng = np.random.default_rng(seed)
        policy = mix_random(self.expert, *self.random_share, rng)
        return self._store(policy, n, seed)

    def _experts(self, n: int, seed: int) -> EpisodeStore:
        return self._store(self.expert, n, seed)

    def _store(self, policy: Callable[[], EnvPolicy], n: int, seed: int) -> EpisodeStore:
        def make() -> gym.Env[Any, Any]:
            env: gym.Env[Any, Any] = self.flat_env()
            env.action_space.seed(seed)
            return env

        return EpisodeStore.from_episodes(rollout(make, policy, n, seed), action_space=self.spaces[1])

    def oracle(self) -> RewardFn:
        return self.true_reward

    @property
    def step_reward(self) -> RewardFn | None:
        return self.true_reward

    @cached_property
    def trajectory_sets(self) -> tuple[TrajectorySet, ...]:
        """Held-out episodes of the prior's kind, and half of them with held-out episodes of the expert."""
        n = self.budget.trajectories
        n_expert = min(EXPERT_EPISODES, n // 2)
        folder = Path("runs") / "irl" / self.name / f"trajectory_sets-{n}"
        makers = {
            "base": partial(self._base, n, 77_000),
            "expert": partial(self._experts, n_expert, 77_001),
        }
        stores = {}
        for kind, make in makers.items():
            file = folder / f"{kind}.safetensors"
            if not file.exists():
                folder.mkdir(parents=True, exist_ok=True)
                make().save(file)
            stores[kind] = EpisodeStore.load(file)
        numbers = np.arange(n)
        half = (n + 1) // 2
        source = ("base",) * half + ("expert",) * n_expert
        chosen = np.concatenate([np.arange(half), np.arange(n_expert)])
        mixed = EpisodeStore.from_episodes(
            [stores[name].episode(int(i)) for name, i in zip(source, chosen, strict=True)]
        )
        return (
            TrajectorySet("base", stores["base"], ("base",) * n, numbers),
            TrajectorySet("mixed", mixed, source, chosen),
        )

    def score_policy(self, policy: Policy, seed: int) -> Metrics:
        reseed(policy, seed)
        episodes = evaluate_policy(policy, self.vector, self.budget.episodes, seed=seed)
        return {"return": self.true_return(episodes), "length": float(episodes.lengths.mean())}

    def score_reward(self, reward: RewardFn, data: EpisodeStore) -> Metrics:
        return return_correlations(reward, None, self.trajectory_sets)


def flat_control(
    env_id: str, obs_leaves: tuple[str, ...] | None, max_episode_steps: int | None
) -> gym.Env[Any, Any]:
    """Return the environment with observations as one float32 vector."""
    if env_id.startswith("LunarLander"):
        _check_box2d()
    return FlatObservation(make_env(env_id, max_episode_steps=max_episode_steps), obs_leaves)


def _check_box2d() -> None:
    try:
        import Box2D  # noqa: F401
        import pygame  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "`--environments` lunarlander needs the packages box2d and pygame: pip install box2d pygame. "
            f"Received {error}."
        ) from error


def _reacher() -> ControlEnvironment:
    return ControlEnvironment(
        "reacher",
        "Reacher-v5",
        Reacher,
        control_rewards.reacher,
        PolicyBudget(
            AlgorithmSettings(
                "sac", hidden=(128, 128), lr=1e-3, gamma=0.97, tau=0.01, normalize_observations=True
            ),
            env_steps=12_000,
            random_steps=800,
            update_per_step=1.0,
        ),
    )


def _double_pendulum() -> ControlEnvironment:
    return ControlEnvironment(
        "doublependulum",
        "InvertedDoublePendulum-v5",
        BalanceDoublePendulum,
        control_rewards.double_pendulum,
        PolicyBudget(
            AlgorithmSettings("sac", hidden=(128, 128), lr=1e-3, gamma=0.99, tau=0.01),
            env_steps=12_000,
            random_steps=800,
            update_per_step=1.0,
        ),
        n_demonstrations=5,
        random_share=(0.05, 1.0),
        gamma=0.99,
        budget=Budget(data_episodes=1000, episodes=10, trajectories=200),
    )


def _fetch_reach() -> ControlEnvironment:
    return ControlEnvironment(
        "fetchreach",
        "FetchReachDense-v4",
        ReachGoal,
        control_rewards.fetch_reach,
        PolicyBudget(
            AlgorithmSettings(
                "sac", hidden=(64, 64), lr=1e-3, gamma=0.9, tau=0.01, normalize_observations=True
            ),
            env_steps=8000,
            random_steps=800,
            update_per_step=0.5,
        ),
        obs_leaves=("observation", "desired_goal"),
        n_demonstrations=10,
        budget=Budget(data_episodes=100, episodes=20, trajectories=40, reference_steps=2000, env_steps=8000),
    )


def _lunar_lander() -> ControlEnvironment:
    return ControlEnvironment(
        "lunarlander",
        "LunarLander-v3",
        LandOnPad,
        control_rewards.lunar_lander,
        PolicyBudget(
            AlgorithmSettings("dqn", hidden=(64, 64), lr=1e-3, gamma=0.99, n_step=3),
            env_steps=40_000,
            random_steps=1600,
            update_per_step=0.75,
        ),
        random_share=(0.0, 1.0),
        gamma=0.99,
        discrete_actions=True,
        budget=Budget(data_episodes=150, episodes=20, trajectories=60),
    )


CONTROL_TASKS: dict[str, Callable[[], ControlEnvironment]] = {
    "reacher": _reacher,
    "doublependulum": _double_pendulum,
    "fetchreach": _fetch_reach,
    "lunarlander": _lunar_lander,
}
