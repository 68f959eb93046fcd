"""Distances to demonstrations, by hand."""

import numpy as np
import pytest

from rlpriors.data import Episode, EpisodeStore
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance, nearest_distances


def store(*paths: list[list[float]]) -> EpisodeStore:
    episodes = []
    for path in paths:
        n = len(path) - 1
        episodes.append(Episode(np.array(path), np.zeros((n, 1)), *np.zeros((3, n))))
    return EpisodeStore.from_episodes(episodes)


def test_each_entry_is_in_units_of_its_spread_and_a_constant_one_is_left_out():
    # The first entry has the standard deviation 1, the second one 10, the third one is constant.
    demonstrations = store([[1.0, 10.0, 5.0], [1.0, 10.0, 5.0]])
    data = store([[-1.0, -10.0, 5.0], [-1.0, -10.0, 5.0]])
    distance = DemonstrationDistance(demonstrations, data)
    found = distance(np.array([[1.0, 10.0, 5.0], [3.0, 10.0, 5.0], [1.0, 40.0, 99.0], [4.0, 50.0, 5.0]]))
    np.testing.assert_allclose(found, [0, np.sqrt(4 / 2), np.sqrt(9 / 2), np.sqrt((9 + 16) / 2)], rtol=1e-6)


def test_an_episode_counts_the_observations_after_its_steps():
    demonstrations = store([[0.0], [0.0]])
    data = store([[7.0], [1.0], [3.0]], [[9.0], [5.0]])
    distance = DemonstrationDistance(demonstrations, data)
    spread = np.std([0, 0, 7, 1, 3, 9, 5])
    np.testing.assert_allclose(distance.of_episodes(data) * spread, [2.0, 5.0], rtol=1e-6)


def test_the_expected_distance_is_between_demonstrations():
    demonstrations = store([[0.0], [0.0]], [[1.0], [1.0], [4.0]])
    distance = DemonstrationDistance(demonstrations, demonstrations)
    spread = np.std([0, 0, 1, 1, 4])
    # The first one is 1 away from the second, whose observations are 1, 1 and 4 away from the first.
    assert distance.expected * spread == pytest.approx((1 + 2) / 2)
    assert DemonstrationDistance(store([[0.0], [1.0]]), demonstrations).expected == 0


def test_near_rows_do_not_lose_digits():
    points = np.array([[1e4], [1e4 + 1]])
    assert nearest_distances(points + 1e-3, points) == pytest.approx([1e-3, 1e-3], rel=1e-6)


def test_other_observations_are_refused():
    with pytest.raises(ValueError, match=r"observations of 2 entries, as `data`. Received 1"):
        DemonstrationDistance(store([[0.0], [1.0]]), store([[0.0, 1.0], [1.0, 2.0]]))
    with pytest.raises(ValueError, match="must vary in at least one entry"):
        DemonstrationDistance(store([[0.0], [0.0]]), store([[0.0], [0.0]]))
