"""Log-probability of the actions of a trained policy.

`policy_target`   log-probability of the policy that guides
`log_likelihood`  its mean over the actions of trajectories
"""

from typing import Any, cast

import torch
from tianshou.algorithm.algorithm_base import Policy
from torch import Tensor

from rlpriors.agents import gaussian_target
from rlpriors.agents.diffusion.synthetic.policy_guidance import LogProbability
from rlpriors.data.episodes import EpisodeStore

__all__ = ["log_likelihood", "policy_target"]


def policy_target(policy: Policy) -> LogProbability:
    """Return log N(a; mean action of the policy, 1), without its constant, in the policy's units of -1 to 1.

    A stochastic policy is treated as its mean, so that both algorithms have one measure.
    """
    space: Any = policy.action_space
    middle, half = (torch.as_tensor(x) for x in ((space.high + space.low) / 2, (space.high - space.low) / 2))
    unit = gaussian_target(lambda obs: _mean(policy, obs))
    return lambda obs, act: unit(obs, (act - middle) / half)


def log_likelihood(target: LogProbability, store: EpisodeStore) -> float:
    """Return the mean log-probability of the actions of trajectories."""
    steps = store.transitions()
    return float(target(steps.obs, steps.act).mean())


@torch.no_grad()
def _mean(policy: Policy, obs: Tensor) -> Tensor:
    """Return the policy's mean actions, which lie in [-1, 1] of each entry."""
    out = cast(Any, policy).actor(obs)[0]
    mean: Tensor = out[0] if isinstance(out, tuple) else out
    return mean.clamp(-1, 1)
