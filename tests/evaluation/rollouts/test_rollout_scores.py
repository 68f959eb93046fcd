"""Scores of rollouts that equal demonstrations, that stand still, and that go elsewhere."""

import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance
from rlpriors.evaluation.rollouts.rollout_scores import score_rollouts, separability


def walks(speed: float, n: int = 8, *, ends: bool = False, seed: int = 0) -> EpisodeStore:
    """Walks along x from places near 0, with noise in y."""
    rng = np.random.default_rng(seed)
    episodes = []
    for _ in range(n):
        x = rng.uniform(-0.1, 0.1) + speed * np.arange(21)
        obs = np.stack([x, 0.1 * rng.normal(size=21)], 1)
        episodes.append(
            Episode(
                obs,
                np.zeros((20, 1)),
                np.zeros(20),
                np.arange(20) == 19 if ends else np.zeros(20),
                np.zeros(20),
            )
        )
    return EpisodeStore.from_episodes(episodes)


def rightness(obs, act, obs_next, terminated):
    return obs_next[:, 0]


def score(rollouts: EpisodeStore, **kwargs):
    demonstrations, untrained = walks(0.1, seed=1), walks(0.0, seed=2)
    distance = DemonstrationDistance(demonstrations, untrained)
    rng = np.random.default_rng(0)
    return score_rollouts(
        rightness, demonstrations, rollouts, untrained, distance, length=10, rng=rng, **kwargs
    )


def test_rollouts_like_demonstrations_have_full_progress():
    scores = score(walks(0.1, seed=3))
    assert scores.progress.estimate == pytest.approx(1, abs=0.1)
    assert scores.progress.low < 1 < scores.progress.high
    assert scores.accuracy == pytest.approx(0.5, abs=0.15)
    assert scores.separability < 0.65


def test_an_untrained_policy_has_none():
    scores = score(walks(0.0, seed=2))
    assert scores.progress.estimate == pytest.approx(0, abs=1e-9)
    assert scores.closeness == pytest.approx(0, abs=1e-9)
    assert scores.separability > 0.75


def test_a_policy_that_goes_further_has_more_return_and_less_closeness():
    scores = score(walks(0.3, seed=3))
    assert scores.progress.estimate == pytest.approx(3, abs=0.3)
    assert scores.closeness < 0
    assert scores.accuracy < 0.4


def test_returns_are_sums_where_episodes_terminate_and_means_otherwise():
    # Half as long and twice as fast: equal means, and half of the sum.
    fast = walks(0.2, seed=3)
    cut = EpisodeStore.from_episodes(
        fast.episode(i)._replace(
            **{k: getattr(fast.episode(i), k)[:10] for k in ("act", "rew", "truncated")},
            obs=fast.episode(i).obs[:11],
            terminated=np.zeros(10),
        )
        for i in range(8)
    )
    assert score(cut).progress.estimate == pytest.approx(1, abs=0.1)
    ended = EpisodeStore.from_episodes(
        cut.episode(i)._replace(terminated=np.arange(10) == 9) for i in range(8)
    )
    assert score(ended).progress.estimate == pytest.approx(0.52, abs=0.05)


def test_a_constant_reward_is_refused():
    with pytest.raises(ValueError, match="It is constant"):
        score_rollouts(
            lambda obs, *rest: 0 * obs[:, 0],
            walks(0.1),
            walks(0.1),
            walks(0.0),
            DemonstrationDistance(walks(0.1), walks(0.0)),
            length=5,
            rng=np.random.default_rng(0),
        )


def test_one_episode_is_not_separable():
    assert np.isnan(separability(walks(0.1, n=1), walks(0.1), np.random.default_rng(0)))
