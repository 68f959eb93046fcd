"""Skills of rewards and demonstrations, from transitions of a data set.

`skill_of_reward`          skill whose linear reward is nearest to a reward
`skill_of_demonstrations`  skill whose reward separates demonstrations from the data
`draw_rewards`             transitions with rewards
"""

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.agents.offline.zero_shot.base import TaskFeatures
from rlpriors.agents.offline.zero_shot.networks import to_sphere
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.observation_layout import check_reward
from rlpriors.types import RewardFn

__all__ = ["RewardedSteps", "draw_rewards", "skill_of_demonstrations", "skill_of_reward"]


class RewardedSteps(NamedTuple):
    """Transitions with rewards, whose observations are stored once."""

    obs: Float[Tensor, "states obs"]
    """Observations; the one after a step is usually the one before the next."""
    before: Int[Tensor, " batch"]
    """Index of the observation before each step."""
    after: Int[Tensor, " batch"]
    """Index of the observation after each step."""
    rew: Float[Tensor, " batch"]
    """Rewards."""


def draw_rewards(data: EpisodeStore, reward: RewardFn | None, n: int, seed: int) -> RewardedSteps:
    """Draw at most `n` different transitions and score them by `reward`; None takes the data's rewards.

    Observations are raw, on the CPU.

    Raises:
        ValueError: `n` is below 1, or `reward` reads other observations or does not return one finite number
            for each transition.
    """
    if n < 1:
        raise ValueError(f"`samples` must be at least 1. Received {n}.")
    steps = np.arange(data.n_steps)
    if n < data.n_steps:
        steps = np.random.default_rng(seed).choice(data.n_steps, n, replace=False)
    batch = data.transitions(steps)
    at = data.obs_index(steps)
    kept, places = np.unique(np.concatenate([at, at + 1]), return_inverse=True)
    obs = torch.from_numpy(data.obs[kept]).float().flatten(1)
    before, after = torch.from_numpy(places.reshape(2, -1))
    if reward is None:
        return RewardedSteps(obs, before, after, torch.from_numpy(data.rew[steps]))
    check_reward(reward, data.obs_layout, data.obs.shape[1:])
    device = getattr(reward, "device", "cpu")
    with torch.no_grad():
        rew = reward(*(tensor.to(device) for tensor in batch)).float().cpu()
    if rew.shape != (len(steps),) or not rew.isfinite().all():
        raise ValueError(
            f"`reward` must return one finite number for each of the {len(steps)} transitions. Received "
            f"shape {tuple(rew.shape)} with {int((~rew.isfinite()).sum())} that are NaN or infinite."
        )
    return RewardedSteps(obs, before, after, rew)


def skill_of_reward(features: TaskFeatures, steps: RewardedSteps) -> Float[Tensor, " dim"]:
    """Return the skill z whose reward has the smallest squared error, up to a constant.

    Two linear rewards are fitted: `features(s') . z` and `(features(s') - features(s)) . z`.  By potential
    shaping, both have the same optimal policies for one z (Ng, Harada & Russell 1999).  The one with the
    smaller error is returned, on the sphere; a constant reward has the skill 0.

    Args:
        features: features of the agent.
        steps: transitions with rewards; observations normalized, on the device of the features.
    """
    rew = steps.rew - steps.rew.mean()
    if not rew.abs().max() > 1e-6 * steps.rew.abs().max():
        return torch.zeros_like(features.mean)
    states = features.task(steps.obs)
    after = states[steps.after]
    fits = []
    for inputs in (after, after - states[steps.before]):
        x = inputs - inputs.mean(0)
        weights = features.reward_weights(x, rew)
        values = x @ weights
        # The skill is a direction, so the error is that of the best length.
        fits.append((float((values @ rew).square() / values.square().sum().clamp(min=1e-12)), weights))
    return to_sphere(max(fits, key=lambda fit: fit[0])[1])


def skill_of_demonstrations(features: TaskFeatures, obs: Float[Tensor, "batch obs"]) -> Float[Tensor, " dim"]:
    """Return the skill whose reward separates observations of demonstrations from those of the training data.

    It is the linear discriminant, covariance^-1 (mean of the demonstrations - mean of the data), on the
    sphere.

    Args:
        features: features of the agent.
        obs: normalized observations of the demonstrations.
    """
    return to_sphere(features.weights_of((features.task(obs).mean(0) - features.mean)[None])[0])
