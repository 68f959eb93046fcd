"""References of the zero-shot benchmark: IQL on each reward, and cloning of goals in hindsight.

`train_iql`    policy that implicit Q-learning trains on the rewards of the data
`clone_goals`  clone of the data, which reads goals
`WithGoals`    clone with one goal for each environment
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, cast

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.optim import AdamOptimizerFactory
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol

from benchmarks.zero_shot.worlds import World
from rlpriors.agents import (
    BehaviorCloning,
    BehaviorCloningPolicy,
    OfflineSettings,
    add_hindsight_goals,
    make_offline_algorithm,
)
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.normalize import Normalizer

__all__ = ["WithGoals", "clone_goals", "train_iql"]

IQL = OfflineSettings("iql", hidden=(64, 64), lr=2e-3, tau=0.02, expectile=0.9, beta=10.0)
"""Settings of IQL; the discount is that of the world."""


def train_iql(
    data: EpisodeStore, world: World, seed: int, train: Callable[..., None], n_updates: int
) -> Policy:
    """Return the policy that implicit Q-learning trains on the rewards of the data."""
    space = gym.spaces.Box(-np.inf, np.inf, data.obs.shape[1:], np.float32)
    iql = make_offline_algorithm(
        space,
        cast(Any, data.action_space),
        replace(IQL, gamma=world.settings.gamma),
        obs_normalizer=Normalizer.gaussian(data.obs),
        device="cpu",
        seed=seed,
    )
    train(iql, data, n_updates=n_updates)
    return cast(Policy, iql.policy.eval())


def clone_goals(
    data: EpisodeStore, world: World, seed: int, train: Callable[..., None], n_updates: int
) -> BehaviorCloningPolicy:
    """Return a clone that reads the observation and the task's entries of a later one."""
    with_goals = add_hindsight_goals(data, world.settings.gamma, seed)
    n = data.obs.shape[1]
    entries = [*range(n), *(n + entry for entry in world.task_entries)]
    with_goals = replace(with_goals, obs=with_goals.obs[:, entries])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = BehaviorCloningPolicy.fit(
            with_goals, cast(Any, data.action_space), hidden=(64, 64), device="cpu"
        )
    cloning = BehaviorCloning(policy=policy, optim=AdamOptimizerFactory(lr=2e-3), seed=seed)
    train(cloning, with_goals, n_updates=n_updates)
    return policy


class WithGoals(Policy):
    """Clone that reads the observations together with one goal for each environment."""

    def __init__(self, policy: Policy, goals: np.ndarray) -> None:
        super().__init__(action_space=policy.action_space, action_scaling=False, action_bound_method=None)
        self.policy, self.goals = policy.eval(), goals

    def forward(self, batch: ObsBatchProtocol, state: Any = None, **kwargs: Any) -> ModelOutputBatchProtocol:
        obs = np.concatenate([np.asarray(batch.obs), self.goals], 1).astype(np.float32)
        out: Any = self.policy(cast(ObsBatchProtocol, Batch(obs=obs, info={})))
        act = self.policy.map_action(out.act)
        return cast(ModelOutputBatchProtocol, Batch(logits=act, act=act, state=None))
