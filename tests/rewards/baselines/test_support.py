"""Random expert distillation: high on the support, low outside, equal for equal seeds."""

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import SupportReward, SupportSettings, load_reward


def circle(n: int = 400) -> EpisodeStore:
    angle = np.linspace(0, 2 * np.pi, n + 1)
    obs = np.stack([np.cos(angle), np.sin(angle)], 1)
    return EpisodeStore.from_episodes([Episode(obs, np.zeros((n, 1)), *np.zeros((3, n)))])


def scores(reward, obs):
    return reward.score(obs, np.zeros((len(obs), 1)), obs)


@pytest.fixture(scope="module")
def fitted() -> SupportReward:
    return SupportReward.fit(circle(), device="cpu")


def test_nine_tenths_of_the_demonstrations_have_at_least_nine_tenths(fitted):
    rewards = scores(fitted, circle().obs[:-1])
    assert (rewards >= 0.9 - 1e-6).mean() == pytest.approx(0.9, abs=0.01)
    assert rewards.max() <= 1


def test_it_is_low_off_the_support(fitted):
    """The center and an outer circle, whose entries lie in the same range, are no demonstrations."""
    assert scores(fitted, [[0.0, 0.0]])[0] < 0.1
    assert scores(fitted, 2 * circle().obs).max() < 0.2


def test_the_reward_by_hand(fitted):
    x = torch.tensor([[0.3, 0.4, 0.0]])
    error = (fitted.net(x) - fitted.target(x)).square().sum()
    torch.testing.assert_close(fitted.from_features(x), torch.exp(-fitted.sigma * error)[None])


def test_the_target_stays(fitted):
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        start = SupportReward(fitted.settings)
    for trained, fresh in zip(fitted.target.parameters(), start.target.parameters(), strict=True):
        assert torch.equal(trained, fresh)
        assert not trained.requires_grad
    assert not torch.equal(fitted.net[0].weight, start.net[0].weight)


def test_equal_seeds_give_equal_rewards(tmp_path):
    before = torch.random.get_rng_state()
    one, same, other = (SupportReward.fit(circle(), n_updates=5, seed=s, device="cpu") for s in (0, 0, 1))
    assert torch.equal(torch.random.get_rng_state(), before)
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, same.state_dict()[name])
    assert not torch.equal(one.target[0].weight, other.target[0].weight)
    loaded = load_reward(one.save(tmp_path), device="cpu")
    assert loaded.sigma == one.sigma
    np.testing.assert_array_equal(scores(loaded, circle().obs), scores(one, circle().obs))


def test_settings_have_bounds():
    with pytest.raises(ValueError, match=r"`out_dim` must be at least 1\. Received 0"):
        SupportSettings(1, 1, out_dim=0)
    with pytest.raises(ValueError, match="`spectral_norm` must be False"):
        SupportSettings(1, 1, spectral_norm=True)
    for name in ("n_updates", "batch_size"):
        with pytest.raises(ValueError, match=f"`{name}` must be at least 1. Received 0"):
            SupportReward.fit(circle(), **{name: 0})
    with pytest.raises(ValueError, match="`lr` must be above 0"):
        SupportReward.fit(circle(), lr=0.0)
