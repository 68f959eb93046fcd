"""Segment matching: distances by hand, one segment against the nearest expert, errors."""

import numpy as np
import pytest

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.rewards import NearestExpertReward, SegmentMatching


def way(*obs: float) -> Episode:
    n = len(obs) - 1
    return Episode(np.array(obs)[:, None], np.zeros((n, 1)), *np.zeros((3, n)))


FORTH = EpisodeStore.from_episodes([way(0, 1, 2, 3, 4)])
"""Stored observations 0, 1, 2, 3 in units of their standard deviation, the root of 5/4."""
UNIT = 1.25**0.5


def test_each_step_is_compared_with_the_segment_of_its_time() -> None:
    agent = EpisodeStore.from_episodes([way(3, 3, 0, 0, 0)])
    nearest = NearestExpertReward.fit(FORTH, device="cpu")
    assert np.allclose(agent.relabel(nearest).rew, 0)  # 3 and 0 are demonstrated, at other times
    halves = SegmentMatching.fit(FORTH, n_segments=2, device="cpu")
    assert np.allclose(halves.rewards(agent), np.array([-2, -2, -2, -2]) / UNIT)
    steps = SegmentMatching.fit(FORTH, n_segments=4, device="cpu")
    assert np.allclose(steps.rewards(agent), np.array([-3, -2, -2, -3]) / UNIT)


def test_one_segment_is_the_nearest_expert() -> None:
    rng = np.random.default_rng(0)
    data = EpisodeStore.from_episodes([way(*rng.normal(size=7)), way(*rng.normal(size=5))])
    for form in ("distance", "exp"):
        one = SegmentMatching.fit(FORTH, data, n_segments=1, form=form, device="cpu").relabel(data)
        nearest = NearestExpertReward.fit(FORTH, data, form=form, device="cpu")
        assert np.allclose(one.rew, data.relabel(nearest).rew, atol=1e-6)


def test_later_steps_belong_to_the_last_segment() -> None:
    agent = EpisodeStore.from_episodes([way(0, 0, 0, 0, 0, 0, 0)])
    rewards = SegmentMatching.fit(FORTH, n_segments=2, device="cpu").rewards(agent)
    assert np.allclose(rewards, np.array([0, 0, -2, -2, -2, -2]) / UNIT)
    slow = SegmentMatching.fit(FORTH, n_segments=2, horizon=6, device="cpu").rewards(agent)
    assert np.allclose(slow, np.array([0, 0, 0, -2, -2, -2]) / UNIT)


def test_the_nearest_of_several_demonstrations_of_any_length_counts() -> None:
    both = EpisodeStore.from_episodes([way(0, 0, 0), way(8, 8, 8, 8, 8, 8, 8)])
    rewards = SegmentMatching.fit(both, n_segments=2, device="cpu").rewards(
        EpisodeStore.from_episodes([way(0, 8, 0, 8)])
    )
    assert np.allclose(rewards, 0)


def test_errors() -> None:
    with pytest.raises(ValueError, match=r"segments \[1, 3\] are empty"):
        SegmentMatching.fit(EpisodeStore.from_episodes([way(0, 1, 2)]), n_segments=4, device="cpu")
    with pytest.raises(ValueError, match="`n_segments` must be at least 1"):
        SegmentMatching.fit(FORTH, n_segments=0, device="cpu")
