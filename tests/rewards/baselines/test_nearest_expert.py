"""The distance to demonstrations: by hand, in chunks, from a subsample."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist

from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import NearestExpertReward, NearestExpertSettings, load_reward
from rlpriors.rewards.baselines import nearest_expert
from rlpriors.rewards.baselines.nearest_expert import nearest_rows


def store(obs, act=None, **more):
    obs = np.array(obs, np.float64)
    act = np.zeros((len(obs), 1)) if act is None else np.array(act)
    episode = Episode(np.concatenate([obs, obs[-1:]]), act, *np.zeros((3, len(obs))))
    return EpisodeStore.from_episodes([episode], **more)


CORNERS = store([[-10.0, -1], [10.0, -1], [-10.0, 1], [10.0, 1]])  # mean 0, standard deviations 10 and 1


def scores(reward, obs, act=None):
    return reward.score(obs, np.zeros((len(obs), 1)) if act is None else act, obs)


def test_distances_by_hand():
    reward = NearestExpertReward.fit(CORNERS, device="cpu")
    # (40 - 10) / 10 = 3 and 5 - 1 = 4: 5 over the root of two entries
    np.testing.assert_allclose(scores(reward, [[40.0, 5.0]]), [-5 / 2**0.5], rtol=1e-5)
    assert scores(reward, [[10.0, 1.0], [-10.0, 1.0]]).tolist() == [0, 0]


def test_the_exponential_by_hand():
    reward = NearestExpertReward.fit(CORNERS, form="exp", beta=0.5, device="cpu")
    np.testing.assert_allclose(scores(reward, [[40.0, 5.0]]), [np.exp(-2.5 / 2**0.5)], rtol=1e-5)
    assert scores(reward, [[10.0, 1.0]]).tolist() == [1]


def test_reference_data_set_the_units():
    wide = store([[-70.0, -1], [70.0, 1]])
    reward = NearestExpertReward.fit(CORNERS, wide, device="cpu")
    # the variance of the first entry is the mean of 100 and 4900
    np.testing.assert_allclose(scores(reward, [[60.0, 1.0]]), [-1 / 2**0.5], rtol=1e-5)


def test_discrete_actions_count_as_entries():
    data = store([[-1.0], [1.0]], [0, 1], action_space=gym.spaces.Discrete(3))
    reward = NearestExpertReward.fit(data, inputs=("obs", "act"), device="cpu")
    # the same place with another action: two entries of four differ by 1; the other place differs by 2
    np.testing.assert_allclose(
        scores(reward, [[1.0]] * 2, [[2], [1]]), [-(2**0.5) / 4**0.5, 0], rtol=1e-5, atol=1e-6
    )


def test_many_rows_in_chunks(monkeypatch):
    rng = np.random.default_rng(0)
    x, rows = rng.normal(size=(200, 3)).astype(np.float32), rng.normal(size=(70, 3)).astype(np.float32)
    expected = cdist(x, rows).argmin(1)
    for chunk in (1, 70 * 7, 2**22):
        monkeypatch.setattr(nearest_expert, "CHUNK", chunk)
        assert nearest_rows(torch.from_numpy(x), torch.from_numpy(rows)).tolist() == expected.tolist()


def test_a_subsample_depends_on_the_seed_only(tmp_path):
    data = store(np.random.default_rng(0).normal(size=(300, 2)))
    fitted = [NearestExpertReward.fit(data, max_rows=50, seed=s, device="cpu") for s in (1, 1, 2)]
    assert [reward.rows.shape for reward in fitted] == [(50, 2)] * 3
    assert torch.equal(fitted[0].rows, fitted[1].rows)
    assert not torch.equal(fitted[0].rows, fitted[2].rows)
    assert len(fitted[0].rows.unique(dim=0)) == 50
    loaded = load_reward(fitted[0].save(tmp_path), device="cpu")
    assert torch.equal(loaded.rows, fitted[0].rows)


def test_precision_far_from_the_origin():
    """The distance is exact where the expansion of the square would cancel."""
    reward = NearestExpertReward.fit(store([[0.0, 1.0]] * 30), device="cpu")
    assert scores(reward, [[1e-4, 1.0]] * 30) == pytest.approx(-1e-4 / 2**0.5, rel=1e-3)


def test_the_gradient_leads_to_the_nearest_step():
    reward = NearestExpertReward.fit(CORNERS, device="cpu")
    obs = torch.tensor([[20.0, 1.0], [10.0, 1.0]], requires_grad=True)
    act, end = torch.zeros(2, 1), torch.zeros(2, dtype=torch.bool)
    (gradient,) = torch.autograd.grad(reward(obs, act, obs, end).sum(), obs)
    np.testing.assert_allclose(gradient, [[-0.1 / 2**0.5, 0], [0, 0]], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"n_rows": 0}, "`n_rows` must be at least 1. Received 0"),
        ({"beta": 0.0}, "`beta` must be above 0. Received 0.0"),
    ],
)
def test_settings_have_bounds(bad, message):
    with pytest.raises(ValueError, match=message):
        NearestExpertSettings(1, 1, **bad)
    with pytest.raises(ValueError, match=r"`max_rows` must be at least 1\. Received 0"):
        NearestExpertReward.fit(CORNERS, max_rows=0)
