"""Evaluation of policies over skills: success on goals, and returns of rewards.

`evaluate_goals`  fraction of goals that a policy reaches
`evaluate_skill`  returns of a policy that follows a skill
`closest`         smallest distances of episodes to goals
"""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.env import DummyVectorEnv
from torch import Tensor

from rlpriors.agents import RandomPolicy, SuccessorFeaturePolicy
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.return_correlation import episode_returns
from rlpriors.training.rollout import evaluate_policy
from rlpriors.types import RewardFn

__all__ = ["closest", "evaluate_goals", "evaluate_skill"]

EnvMaker = Callable[[], gym.Env[Any, Any]]


def evaluate_goals(
    policy: SuccessorFeaturePolicy,
    make_env: EnvMaker,
    goals: Float[np.ndarray, "goals obs"],
    *,
    seed: int,
    random: bool = False,
) -> Float[np.ndarray, " goals"]:
    """Roll out one episode for each goal and return its smallest distance to the goal.

    Args:
        policy: policy over skills.
        make_env: function that makes the environment, with vectors for observations.
        goals: raw observations to reach.
        seed: random seed; episode i has the seed `seed + i`, with any policy.
        random: True for random actions, to compare with.
    """
    envs = DummyVectorEnv([make_env])
    distances = []
    try:
        for number, goal in enumerate(goals):
            actor: Policy = policy
            if random:
                actor = RandomPolicy(policy.action_space, seed + number)
            else:
                policy.reach(goal)
            episode = evaluate_policy(actor, envs, 1, seed=seed + number)
            distances.append(closest(policy, episode, goal))
    finally:
        envs.close()
    return np.array(distances)


def closest(policy: SuccessorFeaturePolicy, episodes: EpisodeStore, goal: Any) -> float:
    """Return the smallest distance of an observation to the goal, in standard deviations of the data."""
    rows = torch.from_numpy(episodes.obs).float().flatten(1).to(policy.device)
    gaps: Tensor = (policy.obs(rows) - policy.goals(goal))[:, list(policy.goals.entries)]
    return float(gaps.square().mean(1).sqrt().min())


def evaluate_skill(
    policy: SuccessorFeaturePolicy,
    make_env: EnvMaker,
    skill: Tensor | None,
    rewards: Sequence[RewardFn | None],
    *,
    n_episodes: int,
    seed: int,
) -> list[float]:
    """Return the mean returns of a policy by each reward; None is the environment's own.

    A skill of None takes random actions.
    """
    actor: Policy = policy
    if skill is None:
        actor = RandomPolicy(policy.action_space, seed)
    else:
        policy.follow(skill)
    envs = DummyVectorEnv([make_env])
    try:
        episodes = evaluate_policy(actor, envs, n_episodes, seed=seed)
    finally:
        envs.close()
    return [float(episode_returns(reward, episodes).mean()) for reward in rewards]
