"""NormalizedReward: its statistics against numpy, their updates and saving."""

import numpy as np
import pytest
import torch
from linear_rewards import linear_reward, score_states

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import (
    EnsembleReward,
    MLPReward,
    NormalizedReward,
    RewardSettings,
    load_reward,
    standardized,
)


def test_by_hand() -> None:
    model = NormalizedReward(linear_reward(3.0, 1.0))
    model.observe(torch.tensor([2.0, 6.0]))  # mean 4, deviation 2
    model.observe(torch.tensor([10.0]))  # of all: mean 6, variance (16 + 0 + 16) / 3
    assert (model.count.item(), model.mean.item()) == (3, 6.0)
    assert model.variance.item() == pytest.approx(32 / 3)
    std = (32 / 3) ** 0.5
    assert score_states(model, 1.0, 2.0).tolist() == pytest.approx([4 / std, 7 / std])
    centered = NormalizedReward(linear_reward(3.0, 1.0), center=True)
    centered.observe(torch.tensor([2.0, 6.0, 10.0]))
    assert score_states(centered, 1.0, 2.0).tolist() == pytest.approx([-2 / std, 1 / std])


@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_batches_of_any_size_merge_to_the_statistics_of_all(offset: float) -> None:
    rng = np.random.default_rng(0)
    batches = [rng.normal(offset, 2.0, n).astype(np.float32) for n in (1, 1, 50, 3, 0, 500, 16)]
    model = NormalizedReward(linear_reward(3.0, 1.0))
    for values in batches:
        model.observe(torch.from_numpy(values))
    together = np.concatenate(batches).astype(np.float64)
    assert model.count.item() == len(together)
    assert model.mean.item() == pytest.approx(together.mean(), rel=1e-5)
    assert model.variance.item() == pytest.approx(together.var(), rel=1e-3)


def test_statistics_change_only_through_observe() -> None:
    model = NormalizedReward(linear_reward(3.0, 1.0))
    assert score_states(model, 1.0, 3.0).tolist() == [4.0, 10.0]  # unchanged: nothing was observed
    assert model.count.item() == 0
    model.updating = True
    assert score_states(model, 1.0, 3.0).tolist() == pytest.approx([4 / 3, 10 / 3])  # deviation 3
    model.score([[2.0]], [[0.0]], [[2.0]])
    assert model.count.item() == 3
    model.updating = False
    score_states(model, 100.0)
    assert model.count.item() == 3
    assert model.train().count.item() == 3


def test_a_constant_base_is_not_blown_up() -> None:
    model = NormalizedReward(linear_reward(0.0, 7.0))
    model.updating = True
    assert score_states(model, 1.0, 2.0).tolist() == [7.0, 7.0]


def test_the_gradient_is_the_bases_divided_by_a_constant() -> None:
    model = NormalizedReward(linear_reward(3.0, 1.0), center=True)
    model.updating = True
    obs = torch.tensor([[1.0], [3.0]], requires_grad=True)
    end = torch.zeros(2, dtype=torch.bool)
    first = model(obs, obs, obs, end)
    std = model.std.item()
    model(obs.detach() * 9, obs, obs, end)  # what moves later leaves the first graph alone
    first.sum().backward()
    assert std == pytest.approx(3.0)
    assert obs.grad.flatten().tolist() == pytest.approx([1.0, 1.0])


def test_saved_and_loaded_it_has_its_statistics_and_rests(tmp_path) -> None:
    model = NormalizedReward(linear_reward(3.0, 1.0), center=True, eps=1e-3)
    model.updating = True
    score_states(model, 1.0, 5.0, 9.0)
    loaded = load_reward(model.save(tmp_path), device="cpu")
    model.updating = False
    assert not loaded.updating
    assert loaded.settings == model.settings
    assert score_states(loaded, 1.0, 2.0).equal(score_states(model, 1.0, 2.0))


def test_another_goes_on_with_the_statistics_of_one_that_was_stopped() -> None:
    whole, stopped, other = (NormalizedReward(linear_reward(3.0, 1.0)) for _ in range(3))
    whole.observe(torch.tensor([2.0, 6.0]))
    stopped.observe(torch.tensor([2.0, 6.0]))
    kept = stopped.statistics()
    stopped.observe(torch.tensor([1000.0]))  # what was kept stays what it was
    other.load_statistics(kept)
    for model in (whole, other):
        model.observe(torch.tensor([10.0]))
    assert kept["count"] == 2
    assert (other.count, other.mean, other.variance) == (whole.count, whole.mean, whole.variance)
    with pytest.raises(KeyError, match="variance"):
        other.load_statistics({name: kept[name] for name in ("count", "mean")})
    assert other.count == 3


def test_a_reward_that_is_not_finite_leaves_the_statistics() -> None:
    model = NormalizedReward(linear_reward(3.0, 1.0))
    model.observe(torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"`rewards` must be finite"):
        model.observe(torch.tensor([1.0, float("nan")]))
    assert (model.count.item(), model.mean.item()) == (2, 1.5)


def test_eps_has_a_bound() -> None:
    with pytest.raises(ValueError, match=r"`eps` must be above 0. Received 0.0"):
        NormalizedReward(linear_reward(3.0, 1.0), eps=0.0)


# ---------------------------------------------------------------- standardized on data


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
