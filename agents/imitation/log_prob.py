"""Probability of environment actions under a policy.

`log_prob`  log-probability of environment actions, as a density over the policy's units
"""

from typing import cast

import gymnasium as gym
import torch
from jaxtyping import Float
from tianshou.algorithm.algorithm_base import Policy
from tianshou.algorithm.modelfree.reinforce import ProbabilisticActorPolicy
from tianshou.algorithm.modelfree.sac import SACPolicy
from torch import Tensor
from torch.distributions import Normal

from rlpriors.agents.online.action_units import to_policy_units

__all__ = ["log_prob"]


@torch.no_grad()
def log_prob(
    policy: Policy, obs: Float[Tensor, "batch obs"], act: Float[Tensor, "batch act"], margin: float = 0.01
) -> Float[Tensor, " batch"]:
    """Compute log pi(a|s) of environment actions, as a density over the policy's units.

    For a tanh policy (SAC), actions are evaluated at least `margin` from the bounds.  Otherwise a
    demonstrator that acts at the bounds, as clipped controllers do, would have probability 0.

    Example:
        >>> from tianshou.algorithm.modelfree.reinforce import DiscreteActorPolicy
        >>> from tianshou.utils.net.discrete import DiscreteActor
        >>> from tianshou.utils.net.common import Net
        >>> actor = DiscreteActor(preprocess_net=Net(state_shape=1, hidden_sizes=[8]), action_shape=2)
        >>> policy = DiscreteActorPolicy(actor=actor, action_space=gym.spaces.Discrete(2))
        >>> obs, both = torch.zeros(2, 1), torch.tensor([[0.0], [1.0]])
        >>> round(log_prob(policy, obs, both).exp().sum().item(), 4)
        1.0
    """
    units = torch.as_tensor(to_policy_units(policy, act.cpu().numpy()), device=act.device)
    if isinstance(policy, SACPolicy):
        (loc, scale), _ = policy.actor(obs)
        squashed = units.clamp(margin - 1, 1 - margin)
        density = Normal(loc, scale).log_prob(squashed.atanh()) - (1 - squashed.square()).log()
        return cast(Tensor, density.sum(-1))
    if isinstance(policy.action_space, gym.spaces.Discrete):
        units = units[:, 0].round()
    actor = cast(ProbabilisticActorPolicy, policy)
    density = actor.dist_fn(actor.actor(obs)[0]).log_prob(units)
    return density.flatten(1).sum(1) if density.ndim > 1 else density
