"""Methods of the exploration benchmark.

`Method`          bonus, its place and the values of its one setting that were tried
`METHODS`         methods by name
`make_agent`      DQN with a method
"""

from dataclasses import replace
from typing import Any, Literal, NamedTuple, cast

import gymnasium as gym
from tianshou.algorithm.algorithm_base import OffPolicyAlgorithm

from benchmarks.exploration.tasks import Task
from rlpriors.agents import Explore, ExploreSettings, make_algorithm
from rlpriors.rewards import DisagreementReward, DisagreementSettings, EllipticalBonus, EllipticalSettings
from rlpriors.rewards.exploration import ExplorationReward

__all__ = ["METHODS", "Method", "make_agent"]

EPSILON = 0.05
"""Fraction of random actions of all methods with a bonus."""


class Method(NamedTuple):
    """Bonus, its place, and the values of its one setting that were tried."""

    bonus: Literal["none", "elliptical", "contrastive", "disagreement"]
    """Bonus; "elliptical" has the fixed features of the task."""
    in_reward: bool
    """True if the bonus is a part of the reward."""
    in_actions: bool
    """True if the bonus is a part of the choice of actions."""
    values: tuple[float, ...]
    """Values of epsilon without a bonus, or of its factor beta."""


BETAS = (0.3, 1.0)
METHODS = {
    "epsilon-greedy": Method("none", False, False, (0.1, 0.5)),
    "disagreement": Method("disagreement", True, False, (100.0, 1000.0)),
    "elliptical, reward": Method("elliptical", True, False, BETAS),
    "elliptical, actions": Method("elliptical", False, True, BETAS),
    "elliptical, both": Method("elliptical", True, True, BETAS),
    "contrastive, both": Method("contrastive", True, True, BETAS),
}


def make_agent(
    task: Task, method: Method, value: float, env: gym.Env[Any, Any], seed: int
) -> OffPolicyAlgorithm[Any]:
    """Return DQN with a method, and `value` for its one setting."""
    space, actions = env.observation_space, env.action_space
    assert isinstance(space, gym.spaces.Box)
    assert isinstance(actions, gym.spaces.Discrete)
    epsilon = value if method.bonus == "none" else EPSILON
    settings = replace(task.algorithm, exploration=epsilon)
    dqn: Any = make_algorithm(space, actions, settings, device="cpu", seed=seed)
    if method.bonus == "none":
        return cast(OffPolicyAlgorithm[Any], dqn)
    sizes: dict[str, Any] = {
        "obs_dim": space.shape[0],
        "act_dim": 1,
        "n_actions": int(actions.n),
        "beta": value,
        "seed": seed,
    }
    bonus: ExplorationReward
    if method.bonus == "disagreement":
        bonus = DisagreementReward(DisagreementSettings(**sizes))
    else:
        kind = task.features if method.bonus == "elliptical" else "contrastive"
        bonus = EllipticalBonus(EllipticalSettings(**sizes, kind=kind))
    weights = ExploreSettings(reward_weight=float(method.in_reward), action_weight=float(method.in_actions))
    return Explore(dqn, bonus, settings=weights)
