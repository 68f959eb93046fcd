"""Checks that a reward can be trained by `DiffusionIRL` on a policy's windows.

`check_trainable`     class of a reward
`check_layout`        sizes of a reward against those of the windows
`check_observations`  observation leaves of a reward against those of the windows
`fixed_inputs`        inputs of a training that do not change
"""

import logging
from collections.abc import Sequence
from typing import Any

from torch import nn

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.irl.objectives import Objective
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.agents.resume_inputs import plain_settings
from rlpriors.agents.validation import check_type
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.data.observation_layout import ObservationLayout
from rlpriors.encoders.fingerprint import weights_digest
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.trajectory_value import TrajectoryValue

__all__ = ["check_layout", "check_observations", "check_trainable", "fixed_inputs"]

_log = logging.getLogger(__name__)


def check_trainable(reward: object) -> None:
    """Raise unless a reward can be trained on windows.

    Raises:
        TypeError: `reward` is not a reward model or a `TrajectoryValue`.
    """
    advice = "build one, as MLPReward(RewardSettings(...)); `load_reward` reads a folder"
    check_type("reward", reward, (RewardModel, TrajectoryValue), advice)


def check_observations(
    reward: RewardModel | TrajectoryValue,
    obs_shape: tuple[int, ...] | None,
    obs_layout: ObservationLayout | None,
    source: str,
) -> None:
    """Check that a reward reads the observations of the windows, and record their leaves in it.

    Raises:
        ValueError: the reward recorded other leaves or another order, or the observations are not vectors.
    """
    if isinstance(reward, TrajectoryValue):
        return
    if obs_shape is not None and len(obs_shape) > 1:
        raise ValueError(
            f"The data of {source} must have vector observations, because a reward reads vectors. Received "
            f"observations of shape {obs_shape}; flatten them, as "
            "replace(data, obs=data.obs.reshape(len(data.obs), -1), obs_layout=None), and wrap the "
            "environment in FlattenObservation."
        )
    reward.record_layout(obs_layout, source)


def fixed_inputs(
    reward: RewardModel | TrajectoryValue,
    objectives: Sequence[Objective],
    prior: nn.Module,
    prior_data: WindowBuffer | None,
) -> dict[str, Any]:
    """Return what a resumed training must share: classes and settings, and fingerprints of prior and data."""
    inputs: dict[str, Any] = {
        "reward": type(reward).__name__,
        "objectives": [type(objective).__name__ for objective in objectives],
        "prior": weights_digest(prior)[:32],
        **plain_settings(reward.settings, "reward."),
    }
    for number, objective in enumerate(objectives):
        inputs |= plain_settings(getattr(objective, "settings", None), f"objectives[{number}].")
    return inputs if prior_data is None else {**inputs, "prior_data": store_fingerprint(prior_data.store)}


def check_layout(
    reward: RewardModel | TrajectoryValue, layout: TrajectoryLayout, **per_step: float | None
) -> None:
    """Raise unless a reward takes the entries of the policy's windows.

    A warning is logged if the reward reads more than observations from time steps of several environment
    steps.

    Args:
        reward: reward that is trained.
        layout: layout of the policy's windows.
        **per_step: weights of losses that read rewards of single steps, by name.

    Raises:
        ValueError: the sizes differ, or a `TrajectoryValue` is combined with a loss of single steps.
    """
    if isinstance(reward, TrajectoryValue):
        sizes = reward.settings.horizon, reward.settings.dim
        if sizes != (layout.horizon, layout.dim):
            raise ValueError(
                f"`reward` takes windows of {sizes[0]} time steps of {sizes[1]} numbers, but the policy's "
                f"`layout` has {layout.horizon} of {layout.dim}. Build the value for these sizes."
            )
        for name, weight in per_step.items():
            if weight:
                raise ValueError(
                    f"`{name}` must be 0 for a TrajectoryValue, which has no rewards of single steps. "
                    f"Received {weight}."
                )
    elif (reward.obs_dim, reward.act_dim) != (layout.obs_dim, layout.act_dim):
        raise ValueError(
            f"`reward` takes observations of {reward.obs_dim} entries and actions of {reward.act_dim}, but "
            f"the policy's `layout` has {layout.obs_dim} and {layout.act_dim}. Build the reward for these "
            "sizes."
        )
    else:
        _check_discrete(reward, layout)
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


def _check_discrete(reward: RewardModel, layout: TrajectoryLayout) -> None:
    """Raise unless a reward reads the actions of the windows as the layout encodes them."""
    space = layout.discrete_space
    if space is not None and reward.n_actions is None and "act" in getattr(reward.settings, "inputs", ()):
        raise ValueError(
            "`reward` must read Discrete actions one-hot, because their numbers have no order and no "
            f"gradient. Received one that reads them as numbers; set n_actions={space.n} and "
            f"action_start={space.start} in its settings."
        )
    if reward.discrete_space is not None and reward.discrete_space != space:
        actions = space or f"{layout.act_dim} continuous entries"
        raise ValueError(
            f"`reward` must read the actions of the policy's `layout`, {actions}. Received one for "
            f"{reward.discrete_space}; set `n_actions` and `action_start` in its settings."
        )
