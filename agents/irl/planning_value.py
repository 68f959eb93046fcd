"""Value beyond the window, for plans by a learned reward.

`add_terminal_value`  value of a policy's reward, fitted on data and set in the policy
`length_discount`     discount whose horizon is the length of demonstrations

A reward can rise with progress almost everywhere and still have a local maximum, such as a wall with the goal
behind it.  Plans that end before the goal then wait there, because the way out has lower rewards.  The
optimal value has no such maximum if the reward is highest at the goal: it rises along every fastest way.
"""

from typing import Any

import numpy as np

from rlpriors.agents.diffusion.diffuser import DiffuserPolicy
from rlpriors.agents.diffusion.terminal_value import TerminalValue
from rlpriors.agents.diffusion.terminal_value_fit import fit_terminal_value
from rlpriors.agents.validation import check_type
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.trajectory_value import TrajectoryValue

__all__ = ["add_terminal_value", "length_discount"]


def add_terminal_value(
    policy: DiffuserPolicy,
    data: EpisodeStore,
    demonstrations: EpisodeStore,
    *,
    discount: float | None = None,
    **fit: Any,
) -> TerminalValue:
    """Fit the terminal value of a policy's reward, and let the policy plan with it.

    The value is `fit_terminal_value` of the data with the rewards of `policy.reward`.  Call the function
    again after the reward has changed.  A constant that is added to the reward changes no plan, unless
    episodes of the data terminate.

    Args:
        policy: policy with a reward of single steps, as after `DiffusionIRL`.
        data: data of the policy's prior.
        demonstrations: demonstrations that the reward was learned from; their length sets the discount.
        discount: discount of the value per environment step; by default `length_discount(demonstrations)`.
        **fit: further arguments of `fit_terminal_value`, such as `updates` and `expectile`.

    Returns:
        The value, which is also `policy.terminal_value`.

    Raises:
        TypeError: the policy is of another class.
        ValueError: the policy has no reward of single steps, the data do not fit it, or an argument is out
            of its bounds.
    """
    check_type("policy", policy, DiffuserPolicy, "build one from a denoiser and `TrajectoryLayout.fit(...)`")
    reward = policy.reward
    if reward is None or isinstance(reward, TrajectoryValue):
        raise ValueError(
            "`policy` must have a reward of single steps, which the value sums. Received "
            f"{'None' if reward is None else 'a TrajectoryValue'}; train one by DiffusionIRL, or set "
            "`policy.reward`."
        )
    policy.check_data(data)
    chosen = length_discount(demonstrations) if discount is None else discount
    value = fit_terminal_value(data, reward, discount=chosen, **{"device": policy.device, **fit})
    policy.terminal_value = value
    return value


def length_discount(demonstrations: EpisodeStore) -> float:
    """Return 1 - 1 / L for the median length L of demonstrations in environment steps, at least 0.5.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> walk = Episode(np.arange(101.0)[:, None], np.ones((100, 1)), *np.zeros((3, 100)))
        >>> length_discount(EpisodeStore.from_episodes([walk]))
        0.99
    """
    return max(0.5, 1 - 1 / float(np.median(demonstrations.lengths)))
