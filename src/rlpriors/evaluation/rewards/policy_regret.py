"""Regret of policies that plan with a learned reward in a tabular process.

`policy_regret`  loss of true return by a policy that is optimal for a learned reward
"""

import numpy as np
from jaxtyping import Float

from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP

__all__ = ["policy_regret"]


@array_arguments(true_reward=3, learned_reward=3)
def policy_regret(
    mdp: TabularMDP,
    true_reward: Float[np.ndarray, "states actions states"],
    learned_reward: Float[np.ndarray, "states actions states"],
    *,
    temperature: float = 0.0,
) -> float:
    """Compute the true return that is lost by planning with the learned reward, between 0 and 1 at its best.

    0 is the return of the policy that is optimal for `true_reward`, 1 that of the uniform policy; a
    misleading reward has a regret above 1.  At `temperature` 0 the policies are greedy, and equally good
    actions share evenly.  Above 0 both are soft-optimal at this temperature, and the regret depends on the
    scale of the learned reward.  Potential shaping never changes it.

    Raises:
        ValueError: shapes disagree, a reward is not finite, or the true reward does not separate the optimal
            from the uniform policy.

    Example:
        >>> reward = np.zeros((2, 2, 2))
        >>> reward[..., 1] = 1.0
        >>> stay_or_switch = np.stack([np.eye(2), 1 - np.eye(2)], 1)
        >>> mdp = TabularMDP(stay_or_switch, reward, start=np.ones(2) / 2, gamma=0.9)
        >>> policy_regret(mdp, reward, 3 * reward), policy_regret(mdp, reward, -reward)
        (0.0, 2.0)
    """
    truth = mdp.with_reward(true_reward)
    floor = truth.policy_return(truth.uniform_policy())
    best = truth.policy_return(truth.optimal_policy(temperature))
    if best - floor <= 1e-9 * max(1.0, abs(floor)):
        raise ValueError(
            "`true_reward` must separate policies. Received one under which the optimal and the uniform "
            f"policy both return {floor:g}."
        )
    reached = truth.policy_return(mdp.with_reward(learned_reward).optimal_policy(temperature))
    return round((best - reached) / (best - floor), 12)
