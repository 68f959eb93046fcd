"""Sums of rewards: every operator by hand, flat and saved, and what cannot be added."""

import math

import numpy as np
import pytest
import torch
from linear_rewards import linear_reward, score_states

from rlpriors.rewards import RewardModel, ShapedReward, SumReward, load_reward

A, B = linear_reward(2.0), linear_reward(5.0)


@pytest.mark.parametrize(
    ("model", "at_one", "at_two"),
    [
        (A + B, 7, 14),
        (A + 2 * B, 12, 24),
        (A * 3, 6, 12),
        (-A, -2, -4),
        (A - B, -3, -6),
        (B / 4, 1.25, 2.5),
        (A + 1, 3, 5),
        (1 - A, -1, -3),
        (2.5 + (A - 0.5) * 2, 5.5, 9.5),
        (-(A + 1) + 2 * (B - (A + B) / 2 + 1), 2 * (5 - 3.5 + 1) - 3, 2 * (10 - 7 + 1) - 5),
        (sum([A, B]), 7, 14),
        (np.float32(2) * A + np.int64(1), 5, 9),
    ],
)
def test_operators_by_hand(model: RewardModel, at_one: float, at_two: float) -> None:
    assert isinstance(model, SumReward)
    assert score_states(model, 1.0, 2.0).tolist() == [at_one, at_two]


def test_a_sum_of_sums_is_flat() -> None:
    total = 2 * (A + 3 * B - 1) - (A / 2 + 4)
    assert [id(term) for term in total.terms] == [id(A), id(B), id(A)]
    assert total.weights == (2.0, 6.0, -0.5)
    assert total.settings.offset == -6.0


def test_saved_and_loaded_it_is_the_same_sum(tmp_path) -> None:
    total = linear_reward(2.0) - 3 * ShapedReward(linear_reward(5.0), gamma=0.5, hidden=()) + 0.5
    loaded = load_reward(total.save(tmp_path), device="cpu")
    assert isinstance(loaded, SumReward)
    assert loaded.weights == (1.0, -3.0)
    assert score_states(loaded, 1.0, 2.0).tolist() == score_states(total, 1.0, 2.0).tolist()
    twice = load_reward((total + total).save(tmp_path / "twice"), device="cpu")
    assert score_states(twice, 1.0).tolist() == score_states(total + total, 1.0).tolist()


def test_what_trains_a_term_trains_the_sum() -> None:
    term = linear_reward(1.0)
    total = 3 * term
    obs = torch.ones(1, 1)
    total(obs, obs, obs, torch.tensor([False])).sum().backward()
    assert term.net[0].weight.grad.item() == 3.0
    term.net[0].weight.data.fill_(2.0)
    assert score_states(total, 1.0).tolist() == [6.0]


@pytest.mark.parametrize(
    ("other", "message"),
    [
        ({"obs_dim": 2}, r"`terms` must agree on `obs_dim`. Received \[1, 2\]; use rewards that were"),
        ({"obs_keys": ("a", "b")}, r"`terms` must agree on `obs_keys`. Received \[None, \('a', 'b'\)\]"),
    ],
)
def test_rewards_of_different_observations_do_not_add_up(other: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        A + linear_reward(1.0, **other)


@pytest.mark.parametrize("other", ["2", None, torch.ones(2)])
def test_other_things_do_not_add_up(other) -> None:
    with pytest.raises(TypeError):
        A + other
    with pytest.raises(TypeError):
        A * other
    with pytest.raises(TypeError):
        A / other


def test_two_rewards_have_no_product() -> None:
    with pytest.raises(TypeError):
        A * B


def test_bad_arguments_are_named() -> None:
    with pytest.raises(ValueError, match=r"`terms` must hold at least one reward. Received none"):
        SumReward([], [])
    with pytest.raises(ValueError, match=r"`weights` must hold one number .* 2 terms. Received 1"):
        SumReward([A, B], [1.0])
    with pytest.raises(ValueError, match=r"`weights` must be a tuple of finite numbers. Received \(nan,\)"):
        math.nan * A
    with pytest.raises(ValueError, match=r"`offset` must be a finite number. Received inf"):
        A + math.inf
    with pytest.raises(ZeroDivisionError, match="divided by 0"):
        A / 0
