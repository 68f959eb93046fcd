"""Rewards of tasks whose demonstrations all end by termination.

`prefer_ends`  reward that is at most 0 in every demonstrated step
"""

from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel

__all__ = ["prefer_ends"]


def prefer_ends(reward: RewardModel, demonstrations: EpisodeStore) -> RewardModel:
    """Return the reward minus its highest value in a demonstrated step, where all demonstrations terminate.

    A demonstrator who ends every episode could have stayed in any demonstrated state.  So no demonstrated
    step should have a larger reward than the time after the end, which has 0.  Data that seldom comes near
    the goal does not teach this, and an agent then waits in front of the goal.  The rule assumes that ends
    are successes: a reward below 0 also pays for ending an episode in another way.

    A reward that is at most 0 already, and one of demonstrations that do not all terminate, is returned
    unchanged.

    Args:
        reward: learned reward, which is 0 after a termination.
        demonstrations: episodes that the reward was learned from.

    Example:
        >>> import numpy as np
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> ends = np.arange(8) == 7
        >>> walk = Episode(np.arange(9.0)[:, None], np.zeros((8, 1)), np.zeros(8), ends, np.zeros(8, bool))
        >>> demonstrations = EpisodeStore.from_episodes([walk])
        >>> reward = prefer_ends(MLPReward(RewardSettings(obs_dim=1, act_dim=1)) + 3.0, demonstrations)
        >>> abs(float(demonstrations.relabel(reward).rew.max())) < 1e-5
        True
    """
    last = demonstrations.step_starts + demonstrations.lengths - 1
    if not demonstrations.terminated[last].all():
        return reward
    highest = float(demonstrations.relabel(reward).rew.max())
    return reward - highest if highest > 0 else reward
