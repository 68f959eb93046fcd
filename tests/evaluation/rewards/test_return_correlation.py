import json
from math import sqrt

import numpy as np
import pytest

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.evaluation.rewards.return_correlation import (
    episode_returns,
    preference_accuracy,
    return_agreement,
)
from rlpriors.evaluation.rewards.trajectory_sets import (
    make_trajectory_sets,
    read_trajectory_sets,
    write_trajectory_sets,
)


def store(lengths, offset=0.0, discrete=False):
    """Episodes e that visit offset + 100 e + time and are paid the time from 1 on."""
    episodes = []
    for number, steps in enumerate(lengths):
        time = np.arange(steps + 1.0)
        ends = np.arange(steps) == steps - 1
        act = np.zeros(steps, int) if discrete else time[:-1, None] / 10
        obs = (offset + 100 * number + time)[:, None]
        episodes.append(Episode(obs, act, time[1:], np.zeros(steps, bool), ends))
    return EpisodeStore.from_episodes(episodes)


def arrive(obs, act, obs_next, terminated):
    return obs_next[:, 0]


def numbers(coverage):
    """The offsets and numbers of its episodes, read off the data."""
    return coverage.store.obs[coverage.store.obs_index(coverage.store.step_starts), 0]


def test_returns_by_hand():
    data = store([3, 1, 2])
    assert episode_returns(None, data).tolist() == [6, 1, 3]
    assert episode_returns(None, data, gamma=0.5) == pytest.approx([1 + 1 + 0.75, 1, 2])
    assert episode_returns(None, data, gamma=0.0).tolist() == [1, 1, 1]
    assert episode_returns(None, data, per_step=True).tolist() == [2, 1, 1.5]
    assert episode_returns(None, data, gamma=0.5, per_step=True) == pytest.approx([2.75 / 1.75, 1, 2 / 1.5])
    assert episode_returns(arrive, data).tolist() == [6, 101, 201 + 202]
    assert episode_returns(arrive, data, [2, 0]).tolist() == [403, 6]


def test_agreement_by_hand():
    learned, true = np.array([1.0, 2.0, 9.0]), np.array([1.0, 2.0, 3.0])
    rho = 8 / sqrt(76)  # deviations (-3, -2, 5) and (-1, 0, 1)
    assert return_agreement(learned, true) == pytest.approx((rho, 1.0, sqrt((1 - rho) / 2), 1.0))
    assert return_agreement(-learned, true) == pytest.approx((-rho, -1.0, sqrt((1 + rho) / 2), 0.0))


def test_preferences_by_hand():
    true = np.array([0.0, 1.0, 1.0, 2.0])  # five pairs differ
    # Of these 0-1, 0-1', 0-2 and 1-2 agree, 1'-2 is a tie.
    assert preference_accuracy(np.array([0.0, 1.0, 5.0, 5.0]), true) == pytest.approx(4.5 / 5)
    assert preference_accuracy(np.zeros(4), true) == 0.5
    assert preference_accuracy(true, true) == 1.0
    assert preference_accuracy(-true, true) == 0.0
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=40), rng.integers(0, 9, 40).astype(float)
    pairs = [(i, j) for i in range(40) for j in range(40) if b[i] < b[j]]
    assert preference_accuracy(a, b) == pytest.approx(np.mean([a[i] < a[j] for i, j in pairs]))


def test_coverages_are_of_distinct_episodes():
    base, expert = store([2] * 30), store([3] * 8, offset=1e4)
    plain, mixed, noisy = make_trajectory_sets(base, expert, 20, seed=0, expert_share=0.3)
    assert [c.name for c in (plain, mixed, noisy)] == ["base", "mixed", "perturbed"]
    for coverage in (plain, mixed, noisy):
        assert (
            coverage.store.n_episodes == len(set(zip(coverage.source, coverage.episode, strict=True))) == 20
        )
    assert sorted(mixed.source) == ["base"] * 14 + ["expert"] * 6
    assert numbers(plain).tolist() == (100 * plain.episode).tolist()
    expected = [1e4 * (s == "expert") + 100 * e for s, e in zip(mixed.source, mixed.episode, strict=True)]
    assert numbers(mixed).tolist() == expected
    # Noise of a tenth of the base's spread, on the mixed trajectories.
    away = noisy.store.obs - mixed.store.obs
    assert away.std() == pytest.approx(0.1 * base.obs.std(), rel=0.2)
    assert (noisy.store.act - mixed.store.act).std() == pytest.approx(0.1 * base.act.std(), rel=0.3)
    assert noisy.store.lengths.tolist() == mixed.store.lengths.tolist()


def test_perturbed_rollouts_instead_of_noise():
    base, expert, own = store([2] * 9), store([2] * 9), store([4] * 5, offset=7.0)
    *_, coverage = make_trajectory_sets(base, expert, 4, seed=1, perturbed=own)
    assert coverage.source == ("perturbed",) * 4
    assert numbers(coverage).tolist() == (7.0 + 100 * coverage.episode).tolist()
    assert coverage.noise == 0


def test_discrete_actions_get_no_noise():
    *_, noisy = make_trajectory_sets(store([2] * 4, discrete=True), store([2] * 4, discrete=True), 3, seed=0)
    assert noisy.store.act.dtype == np.int64
    assert (noisy.store.act == 0).all()


def test_the_same_trajectories_come_back_from_the_file(tmp_path):
    stores = {"base": store([2] * 12), "expert": store([3] * 6, offset=1e4)}
    drawn = make_trajectory_sets(stores["base"], stores["expert"], 8, seed=3)
    path = write_trajectory_sets(tmp_path / "new" / "trajectories.json", drawn, stores)
    content = json.loads(path.read_text())
    assert content["coverages"]["base"]["episode"] == drawn[0].episode.tolist()
    again = read_trajectory_sets(path, stores)
    for before, after in zip(drawn, again, strict=True):
        assert (before.name, before.source, before.noise) == (after.name, after.source, after.noise)
        assert before.episode.tolist() == after.episode.tolist()
        for column in ("obs", "act", "rew", "terminated", "truncated", "lengths"):
            assert (getattr(before.store, column) == getattr(after.store, column)).all()
    other = make_trajectory_sets(stores["base"], stores["expert"], 8, seed=4)
    assert other[0].episode.tolist() != drawn[0].episode.tolist()


def test_a_file_for_other_data_is_refused(tmp_path):
    stores = {"base": store([2] * 4), "expert": store([2] * 4)}
    path = write_trajectory_sets(tmp_path / "a.json", make_trajectory_sets(**stores, n=3, seed=0), stores)
    for other in ({"expert": store([2] * 4)}, stores | {"base": store([2, 2, 2, 3])}):
        with pytest.raises(ValueError, match='`stores` must hold "base" with the'):
            read_trajectory_sets(path, other)
    for text in ("{", "[]", "{}", '{"stores": 3}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(ValueError, match="`path` must be a file of `write_trajectory_sets`"):
            read_trajectory_sets(tmp_path / "bad.json", stores)
    with pytest.raises(FileNotFoundError):
        read_trajectory_sets(tmp_path / "none.json", stores)
    with pytest.raises(ValueError, match=r"`stores` must hold \['base', 'expert'\]"):
        write_trajectory_sets(path, make_trajectory_sets(**stores, n=3, seed=0), {"base": stores["base"]})


def test_bad_arguments():
    few = store([2] * 3)
    with pytest.raises(ValueError, match=r"`base` must hold at least 4 episodes.*Received 3"):
        make_trajectory_sets(few, store([2] * 9), 4, seed=0)
    with pytest.raises(ValueError, match=r"`expert` must hold at least 4 episodes"):
        make_trajectory_sets(store([2] * 9), few, 8, seed=0)
    with pytest.raises(ValueError, match=r"`perturbed` must hold at least 5 episodes"):
        make_trajectory_sets(store([2] * 9), store([2] * 9), 5, seed=0, perturbed=few)
    with pytest.raises(ValueError, match=r"`expert_share` in \(0, 1\)"):
        make_trajectory_sets(few, few, 2, seed=0, expert_share=1.0)
    with pytest.raises(ValueError, match=r"`gamma` must be in \[0, 1\]"):
        episode_returns(None, few, gamma=1.1)
    with pytest.raises(ValueError, match="`true` must hold returns that differ"):
        preference_accuracy(np.arange(3.0), np.ones(3))
    with pytest.raises(ValueError, match="finite returns of the same trajectories"):
        preference_accuracy(np.arange(3.0), np.arange(4.0))
    with pytest.raises(ValueError, match="must vary"):
        return_agreement(np.arange(3.0), np.ones(3))
