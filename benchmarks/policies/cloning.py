"""Goal-conditioned behavior cloning, the reference of score policies.

`Clone`      policy and its data
`fit_clone`  untrained policy, and data with goals in hindsight
`WithGoal`   clone that acts toward goals
"""

from dataclasses import replace
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch
from tianshou.data.types import ModelOutputBatchProtocol, ObsBatchProtocol

from rlpriors.agents import BehaviorCloningPolicy, add_hindsight_goals
from rlpriors.data.episodes import Episode, EpisodeStore

__all__ = ["Clone", "WithGoal", "fit_clone"]

N_GOALS = 5  # goals of each step: as BESO, which draws new ones in each update, cloning sees several


class Clone(NamedTuple):
    """Policy and its data."""

    policy: BehaviorCloningPolicy
    """Untrained policy of observations and goals."""
    data: EpisodeStore
    """Episodes with goals in hindsight."""


def fit_clone(data: EpisodeStore, space: Any, n_goal: int, seed: int) -> Clone:
    """Return an untrained clone with a squared error; goals are the first entries of observations."""
    copies: list[Episode] = []
    for i in range(N_GOALS):
        store = add_hindsight_goals(data, 0.98, N_GOALS * seed + i)
        kept = replace(store, obs=store.obs[:, : data.obs.shape[1] + n_goal])
        copies += [kept.episode(j) for j in range(kept.n_episodes)]
    with_goals = EpisodeStore.from_episodes(copies)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        policy = BehaviorCloningPolicy.fit(with_goals, space, hidden=(256, 256, 256), device="cpu")
    return Clone(policy, with_goals)


class WithGoal(Policy):
    """Clone that reads the observations together with one goal, or one for each environment."""

    def __init__(self, policy: BehaviorCloningPolicy, goals: Float[np.ndarray, "goals goal"]) -> None:
        super().__init__(action_space=policy.action_space, action_scaling=False, action_bound_method=None)
        self.policy, self.goals = policy.eval(), goals

    def forward(self, batch: ObsBatchProtocol, state: Any = None, **kwargs: Any) -> ModelOutputBatchProtocol:
        obs: Any = batch.obs
        rows = np.asarray(obs["observation"] if isinstance(obs, Batch) else obs, np.float32)
        goals = np.broadcast_to(self.goals, (len(rows), self.goals.shape[1]))
        act: Any = self.policy(
            cast(ObsBatchProtocol, Batch(obs=np.concatenate([rows, goals], 1), info={}))
        ).act
        return cast(ModelOutputBatchProtocol, Batch(logits=act, act=act, state=None))
