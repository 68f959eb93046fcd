"""Rewards of clipped observations: values by hand, gradients, saving, refusals."""

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import (
    ClippedReward,
    MLPReward,
    PixelReward,
    PixelRewardSettings,
    RewardSettings,
    load_reward,
)


def linear(weights: list[float], **inputs) -> MLPReward:
    """Return the reward w . features without a bias."""
    reward = MLPReward(RewardSettings(obs_dim=2, act_dim=1, hidden=(), **inputs))
    with torch.no_grad():
        reward.net[0].weight.copy_(torch.tensor([weights]))
        reward.net[0].bias.zero_()
    return reward


def store(*rows: tuple[float, float]) -> EpisodeStore:
    n = len(rows) - 1
    return EpisodeStore.from_episodes([Episode(np.array(rows), np.zeros((n, 1)), *np.zeros((3, n)))])


def test_entries_beyond_the_data_are_worth_as_much_as_its_edge() -> None:
    """The data of both stores span [-1, 3] x [0, 5]; the reward is 10 x + y."""
    reward = ClippedReward.fit(linear([10.0, 1.0]), [store((0, 0), (3, 2)), store((-1, 5), (1, 1))])
    obs = np.array([[1.0, 2.0], [9.0, 2.0], [-9.0, 7.0], [3.0, -1.0]])
    scores = reward.score(obs, np.zeros((4, 1)), np.zeros((4, 2)))
    np.testing.assert_allclose(scores, [12.0, 32.0, -5.0, 30.0])


def test_next_observations_are_clipped_and_actions_are_not() -> None:
    base = linear([1.0, 100.0, 0.0], inputs=("act", "obs_next"))
    reward = ClippedReward(base, (-1.0, -1.0), (1.0, 1.0))
    np.testing.assert_allclose(reward.score([[0.0, 0.0]], [[7.0]], [[3.0, 0.0]]), [107.0])


def test_the_gradient_is_zero_outside_of_the_range() -> None:
    reward = ClippedReward(linear([10.0, 1.0]), (0.0, 0.0), (1.0, 1.0))
    obs = torch.tensor([[0.5, 2.0]], requires_grad=True)
    reward(obs, torch.zeros(1, 1), obs, torch.zeros(1, dtype=torch.bool)).backward()
    assert obs.grad is not None
    assert obs.grad.tolist() == [[10.0, 0.0]]


def test_a_saved_reward_keeps_its_range(tmp_path) -> None:
    reward = ClippedReward(linear([10.0, 1.0]), (-0.1, 0.3), (1.7, 0.3))
    loaded = load_reward(reward.save(tmp_path / "reward"), "cpu")
    assert loaded.settings == reward.settings
    obs = np.random.default_rng(0).normal(size=(50, 2), scale=3)
    inputs = obs, np.zeros((50, 1)), obs
    assert np.array_equal(loaded.score(*inputs), reward.score(*inputs))


@pytest.mark.parametrize(
    ("low", "high", "match"),
    [
        ((0.0,), (1.0,), "the 2 entries"),
        ((0.0, 0.0), (1.0,), "one number for each"),
        ((0.0, 2.0), (1.0, 1.0), r"2\.0 and 1\.0 in entry 1"),
        ((0.0, float("nan")), (1.0, 1.0), "entry 1|finite"),
    ],
)
def test_bounds_that_do_not_fit_are_refused(low, high, match) -> None:
    with pytest.raises(ValueError, match=match):
        ClippedReward(linear([10.0, 1.0]), low, high)


def test_images_are_refused() -> None:
    with pytest.raises(ValueError, match="must read vectors"):
        ClippedReward(PixelReward(PixelRewardSettings(image_shape=(36, 36, 3))), (0.0,), (1.0,))


def test_data_of_another_size_is_refused() -> None:
    other = EpisodeStore.from_episodes([Episode(np.zeros((3, 3)), np.zeros((2, 1)), *np.zeros((3, 2)))])
    for stores in ([], [store((0, 0), (1, 1)), other]):
        with pytest.raises(ValueError, match="flat observations of one size"):
            ClippedReward.fit(linear([10.0, 1.0]), stores)
    with pytest.raises(ValueError, match="the 2 entries"):
        ClippedReward.fit(linear([10.0, 1.0]), [other])
