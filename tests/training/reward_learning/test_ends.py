"""Rewards of tasks whose demonstrations all end by termination."""

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.training.reward_learning.ends import prefer_ends


def walks(*terminated: bool) -> EpisodeStore:
    def walk(ended: bool) -> Episode:
        last = np.arange(5) == 4
        return Episode(
            np.arange(6.0)[:, None], np.zeros((5, 1)), np.zeros(5), last & ended, last & (not ended)
        )

    return EpisodeStore.from_episodes([walk(ended) for ended in terminated])


@pytest.fixture
def reward() -> MLPReward:
    torch.manual_seed(0)
    return MLPReward(RewardSettings(obs_dim=1, act_dim=1))


def test_the_highest_demonstrated_step_is_worth_as_much_as_the_end(reward) -> None:
    demonstrations = walks(True, True)
    before = demonstrations.relabel(reward + 2.0).rew
    after = demonstrations.relabel(prefer_ends(reward + 2.0, demonstrations)).rew
    np.testing.assert_allclose(after, before - before.max(), atol=1e-6)


def test_other_rewards_are_unchanged(reward) -> None:
    mixed = reward + 2.0
    assert prefer_ends(mixed, walks(True, False)) is mixed  # an episode of the demonstrations goes on
    below = reward - 50.0
    assert prefer_ends(below, walks(True)) is below
