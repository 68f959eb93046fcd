"""Progress of failures: numbers by hand, clusters, batches without successes or failures."""

import numpy as np
import pytest
from homing_pairs import ramp

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.rewards.progress.embeddings import embed_episodes, store_episode_rewards
from rlpriors.rewards.progress.episode_progress import (
    ProgressSettings,
    episode_progress,
    success_centers,
)


def logistic(x: float) -> float:
    return float(1 / (1 + np.exp(-x)))


def test_rewards_by_hand() -> None:
    # Successes at -1 and 1: mean 0 and deviation 1, farther apart than `eps`, so that 0 is the only center.
    embeddings = np.array([[-1.0], [1.0], [2.0], [3.0], [-6.0]])
    success = np.array([True, True, False, False, False])
    rewards = episode_progress(embeddings, success)
    # Distances 2, 3 and 6 become 0, 1/4 and 1.
    wanted = [1, 1, *(0.6 * logistic(10 * (0.5 - d)) for d in (0.0, 0.25, 1.0))]
    assert rewards == pytest.approx(wanted)
    other = episode_progress(embeddings, success, ProgressSettings(most=0.3, sharpness=2.0))
    assert other[3] == pytest.approx(0.3 * logistic(2 * 0.25))


def test_a_failure_is_compared_with_the_nearest_cluster() -> None:
    near, far = np.full((4, 2), -1.0), np.full((4, 2), 1.0)
    successes = np.concatenate([near, far])
    assert np.allclose(np.sort(success_centers(successes, ProgressSettings()), 0), [[-1, -1], [1, 1]])
    embeddings = np.concatenate([successes, [[1.1, 1.0], [0.0, 0.0], [-1.0, -1.0]]])
    rewards = episode_progress(embeddings, np.arange(11) < 8)
    assert rewards[10] > rewards[8] > rewards[9]


def test_without_clusters_the_mean_is_the_center() -> None:
    successes = np.array([[0.0], [4.0], [8.0]])
    assert success_centers(successes, ProgressSettings(eps=0.1)).tolist() == [[4.0]]


def test_without_a_success_there_is_nothing_to_learn_from() -> None:
    embeddings = np.array([[0.0], [1.0]])
    assert episode_progress(embeddings, np.array([False, False])).tolist() == [0, 0]
    assert episode_progress(embeddings, np.array([True, True])).tolist() == [1, 1]


def test_a_single_success_or_a_single_failure() -> None:
    embeddings = np.array([[0.0, 0.0], [1.0, 0.0], [3.0, 4.0]])
    rewards = episode_progress(embeddings, np.array([True, False, False]))
    assert rewards == pytest.approx([1, 0.6 * logistic(5), 0.6 * logistic(-5)])
    alone = episode_progress(embeddings, np.array([True, True, False]))
    assert alone[2] == pytest.approx(0.3)  # nothing to compare it with


def test_failures_stay_below_successes_for_random_batches() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        success = rng.random(16) < 0.3
        rewards = episode_progress(rng.normal(size=(16, 3)) * 10.0 ** rng.integers(-3, 4), success)
        assert (rewards[success] == 1).all()
        assert ((rewards[~success] >= 0) & (rewards[~success] <= 0.6)).all()


def test_embeddings_of_episodes_of_different_lengths() -> None:
    def episode(*obs: float) -> Episode:
        n = len(obs) - 1
        return Episode(np.array(obs)[:, None], np.zeros((n, 1)), *np.zeros((3, n)))

    store = EpisodeStore.from_episodes([episode(0, 1, 5), episode(2, 4)])
    assert embed_episodes(store).tolist() == [[2.0], [3.0]]
    assert embed_episodes(store, pool="last").tolist() == [[5.0], [4.0]]
    assert embed_episodes(store, pool="last", last=2).tolist() == [[3.0], [3.0]]
    assert embed_episodes(store, pool="last", last=9).tolist() == [[2.0], [3.0]]
    squared = embed_episodes(store, lambda obs: np.concatenate([obs, obs**2], 1), "last")
    assert squared.tolist() == [[5.0, 25.0], [4.0, 16.0]]


def test_rewards_are_written_to_the_last_steps() -> None:
    data = ramp(3)
    rewritten = store_episode_rewards(data, np.array([1.0, 0.5]))
    assert rewritten.rew.tolist() == [0, 0, 1, 0, 0, 0.5]
    assert rewritten.obs is data.obs


def test_errors() -> None:
    with pytest.raises(ValueError, match="one number for each of the 2 episodes"):
        store_episode_rewards(ramp(), np.zeros(3))
    with pytest.raises(ValueError, match="finite vector for each of the 18"):
        embed_episodes(ramp(), lambda obs: obs[:3])
    with pytest.raises(ValueError, match="`most` must be in"):
        ProgressSettings(most=1.0)
    with pytest.raises(ValueError, match="`success` a boolean"):
        episode_progress(np.zeros((2, 1)), np.array([True]))
