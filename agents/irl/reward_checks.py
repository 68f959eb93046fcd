"""Checks that a reward can be trained by `DiffusionIRL` on a policy's windows.

`check_trainable`  class and action type of a reward
`check_layout`     sizes of a reward against those of the windows
"""

import logging

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.validation import check_type
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.trajectory_value import TrajectoryValue

__all__ = ["check_layout", "check_trainable"]

_log = logging.getLogger(__name__)


def check_trainable(reward: object) -> None:
    """Raise unless a reward can be trained on windows of numbers.

    Raises:
        TypeError: `reward` is not a reward model or a `TrajectoryValue`.
        ValueError: `reward` reads Discrete actions.
    """
    advice = "build one, as MLPReward(RewardSettings(...)); `load_reward` reads a folder"
    check_type("reward", reward, (RewardModel, TrajectoryValue), advice)
    n_actions = getattr(reward, "n_actions", None)
    if n_actions is not None:
        raise ValueError(
            "`reward` must read actions as numbers, because windows of the prior contain them in this form "
            "and gradients pass through them. Received one for Discrete actions, "
            f'n_actions={n_actions}; omit `n_actions`, or use a reward of ("obs",) alone.'
        )


def check_layout(
    reward: RewardModel | TrajectoryValue, layout: TrajectoryLayout, slowness_penalty: float
) -> None:
    """Raise unless a reward takes the entries of the policy's windows.

    A warning is logged if the reward reads more than observations from time steps of several environment
    steps.

    Raises:
        ValueError: the sizes differ, or a `TrajectoryValue` is combined with a slowness penalty.
    """
    if isinstance(reward, TrajectoryValue):
        sizes = reward.settings.horizon, reward.settings.dim
        if sizes != (layout.horizon, layout.dim):
            raise ValueError(
                f"`reward` takes windows of {sizes[0]} time steps of {sizes[1]} numbers, but the policy's "
                f"`layout` has {layout.horizon} of {layout.dim}. Build the value for these sizes."
            )
        if slowness_penalty > 0:
            raise ValueError(
                "`slowness_penalty` must be 0 for a TrajectoryValue, which has no rewards of single steps. "
                f"Received {slowness_penalty}."
            )
    elif (reward.obs_dim, reward.act_dim) != (layout.obs_dim, layout.act.dim):
        raise ValueError(
            f"`reward` takes observations of {reward.obs_dim} entries and actions of {reward.act_dim}, but "
            f"the policy's `layout` has {layout.obs_dim} and {layout.act.dim}. Build the reward for these "
            "sizes."
        )
    inputs = sorted(set(getattr(reward.settings, "inputs", ("obs",))) - {"obs"})
    if layout.stride > 1 and inputs:
        _log.warning(
            "The reward reads %s, and is trained on time steps of %d environment steps (their mean action, "
            'the observation %d steps later); for single steps its inputs differ. Read "obs" alone, or use '
            "time steps of one environment step.",
            " and ".join(inputs),
            layout.stride,
            layout.stride,
        )
