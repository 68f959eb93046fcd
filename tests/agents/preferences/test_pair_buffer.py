"""Batches of pairs: every pair once in an epoch, own orders, sums of rewards by hand."""

import numpy as np
import torch
from homing_pairs import ramp

from rlpriors.agents.preferences.pair_buffer import PairBuffer, reward_clips, score_clips
from rlpriors.rewards import MLPReward, RewardSettings


def linear(weight: float) -> MLPReward:
    """Reward `weight * obs`."""
    reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1, hidden=()))
    with torch.no_grad():
        reward.net[0].weight.fill_(weight)
        reward.net[0].bias.zero_()
    return reward


def test_an_epoch_has_every_pair_once_for_each_member() -> None:
    buffer = PairBuffer(10, n_members=2, bootstrap=False, seed=0)
    drawn = np.concatenate([buffer.sample(4)[0].pairs for _ in range(5)])  # 20 rows: two epochs
    for epoch in (drawn[:10], drawn[10:]):
        assert np.array_equal(np.sort(epoch, 0), np.arange(10)[:, None].repeat(2, 1))
    assert not np.array_equal(drawn[:, 0], drawn[:, 1])  # an order of its own for each member
    assert not np.array_equal(drawn[:10], drawn[10:])


def test_a_bootstrap_leaves_out_pairs_of_its_own() -> None:
    buffer = PairBuffer(200, n_members=2, bootstrap=True, seed=0)
    drawn = buffer.sample(None)[0].pairs
    distinct = [len(np.unique(drawn[:, member])) / 200 for member in range(2)]
    assert all(0.55 < fraction < 0.71 for fraction in distinct)  # 1 - 1/e = 0.63
    assert set(drawn[:, 0]) != set(drawn[:, 1])


def test_batches_depend_on_the_number_of_draws_only() -> None:
    first, second = (PairBuffer(10, n_members=3, bootstrap=False, seed=5) for _ in range(2))
    for _ in range(3):
        first.sample(4)
    second.draws = 3
    assert np.array_equal(first.sample(4)[0].pairs, second.sample(4)[0].pairs)


def test_scores_are_sums_of_rewards_over_the_steps() -> None:
    data = ramp()  # observations 0, 1, ..., 8 in both episodes, the second negative
    clips = np.array([[[0, 0], [0, 5]], [[1, 2], [1, 4]]])
    assert score_clips(linear(2.0), data, clips, 3).tolist() == [[6.0, 36.0], [-18.0, -30.0]]
    assert score_clips(linear(2.0), data, clips, 3, batch_size=4).tolist() == [[6.0, 36.0], [-18.0, -30.0]]
    assert reward_clips(linear(1.0), data, clips[0], 2).tolist() == [[0.0, 1.0], [5.0, 6.0]]
