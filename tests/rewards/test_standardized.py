"""Rewards in units of their spread over data."""

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import EnsembleReward, MLPReward, RewardSettings, standardized

SETTINGS = RewardSettings(obs_dim=1, act_dim=1)


def walks() -> EpisodeStore:
    obs = np.random.default_rng(0).normal(size=(3, 41, 1)).cumsum(1)
    zeros = np.zeros(40)
    return EpisodeStore.from_episodes([Episode(o, zeros[:, None], zeros, zeros > 0, zeros > 0) for o in obs])


def test_mean_0_and_deviation_1() -> None:
    torch.manual_seed(0)
    store, reward = walks(), MLPReward(SETTINGS)
    raw, values = store.relabel(reward).rew, store.relabel(standardized(reward, store)).rew
    np.testing.assert_allclose(values, (raw - raw.mean()) / raw.std(), atol=1e-4)


def test_the_mean_is_kept_without_shift() -> None:
    torch.manual_seed(0)
    store, reward = walks(), MLPReward(SETTINGS)
    raw, scaled = store.relabel(reward).rew, store.relabel(standardized(reward, store, shift=False)).rew
    np.testing.assert_allclose(scaled, raw / raw.std(), rtol=1e-4)


def test_members_of_an_ensemble_are_standardized() -> None:
    torch.manual_seed(0)
    store = walks()
    reward = standardized(EnsembleReward([MLPReward(SETTINGS), 100 * MLPReward(SETTINGS)]), store)
    ensemble = next(module for module in reward.modules() if isinstance(module, EnsembleReward))
    for member in ensemble.members:
        values = store.relabel(member).rew
        assert (values.mean(), values.std()) == pytest.approx((0, 1), abs=1e-4)


def test_a_constant_reward_is_refused() -> None:
    zeros = np.zeros(4)
    episode = Episode(np.zeros((5, 1)), zeros[:, None], zeros, zeros > 0, zeros > 0)
    still = EpisodeStore.from_episodes([episode])
    with pytest.raises(ValueError, match=r"must differ between steps of the data.*--reward-updates"):
        standardized(MLPReward(SETTINGS), still)
