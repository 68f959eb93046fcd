"""Rewards in units of their spread over data.

`standardized`  reward with a standard deviation of 1 and, if it is shifted, a mean of 0 on data
"""

import numpy as np

from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards.base import RewardModel
from rlpriors.rewards.ensemble import EnsembleReward

__all__ = ["standardized"]

EPS = 1e-6
"""Standard deviation, as a fraction of the mean's size, up to which a reward counts as constant."""


def standardized(reward: RewardModel, data: EpisodeStore, *, shift: bool = True) -> RewardModel:
    """Return the reward divided by its standard deviation over the data's steps, minus its mean if `shift`.

    Demonstrations and comparisons determine neither.  Where episodes can end early, the constant decides
    whether an agent ends or prolongs them: leave it as it is (`shift=False`), or add a number of your own.

    The members of an ensemble are standardized, too, so that their disagreement has the same unit.

    Raises:
        ValueError: the reward is constant on the data, or does not read its observations.

    Example:
        >>> from rlpriors.data import Episode
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> walk = Episode(np.arange(9.0)[:, None], np.zeros((8, 1)), *np.zeros((3, 8)))
        >>> data = EpisodeStore.from_episodes([walk])
        >>> reward = standardized(MLPReward(RewardSettings(obs_dim=1, act_dim=1)), data)
        >>> round(float(data.relabel(reward).rew.std()), 3)
        1.0
    """
    reward.eval()
    if isinstance(reward, EnsembleReward):
        reward = EnsembleReward([_standardize(member, data, shift) for member in reward.members], reward.k)
    return _standardize(reward, data, shift).eval()


def _standardize(reward: RewardModel, data: EpisodeStore, shift: bool) -> RewardModel:
    values = data.relabel(reward).rew.astype(np.float64)
    mean, std = float(values.mean()), float(values.std())
    if not std > EPS * max(1.0, abs(mean)):
        raise ValueError(
            f"`reward` must differ between steps of the data. Received the constant {mean:g}; train it "
            "longer (`--reward-updates`), or check that demonstrations differ from the data."
        )
    return (reward - mean) / std if shift else reward / std
