"""Samples with goals: inside one episode, by seed and number, with the marks of goals that are reached."""

import numpy as np
import pytest

from rlpriors.agents.offline.zero_shot.samples import GoalBuffer
from rlpriors.data.episodes import Episode, EpisodeStore


@pytest.fixture
def store() -> EpisodeStore:
    """Two episodes whose observations are 0..4 and 100..102; only the second terminates."""
    episodes = []
    for first, steps in ((0.0, 4), (100.0, 2)):
        end = np.arange(steps) == steps - 1
        flags = (end & (first > 0), end & (first == 0))
        obs = first + np.arange(steps + 1.0)[:, None]
        episodes.append(Episode(obs, np.zeros((steps, 1)), np.zeros(steps), *flags))
    return EpisodeStore.from_episodes(episodes)


def test_future_goals_stay_in_their_episode(store: EpisodeStore) -> None:
    batch, _ = GoalBuffer(store, gamma=0.9, random_goals=0.0, seed=0).sample(500)
    assert ((batch.obs >= 100) == (batch.goal >= 100)).all()
    assert (batch.goal > batch.obs).all()
    assert not batch.at_goal.any()
    assert ((batch.goal == batch.obs_next)[:, 0] == batch.reached).all()
    assert batch.terminated.any()
    assert (batch.terminated == (batch.obs_next[:, 0] == 102)).all()


def test_random_goals_and_other_observations_come_from_everywhere(store: EpisodeStore) -> None:
    batch, _ = GoalBuffer(store, gamma=0.9, random_goals=1.0, seed=0).sample(500)
    assert set(batch.goal[:, 0].tolist()) == set(batch.other[:, 0].tolist()) == set(store.obs[:, 0].tolist())
    assert ((batch.goal == batch.obs)[:, 0] == batch.at_goal).all()
    assert batch.at_goal.any()


def test_a_sample_depends_on_seed_and_number(store: EpisodeStore) -> None:
    first, again, other = (GoalBuffer(store, 0.9, 0.5, seed) for seed in (0, 0, 1))
    one, two = first.sample(50)[0], first.sample(50)[0]
    again.draws = 1
    assert (again.sample(50)[0].goal == two.goal).all()
    assert not (one.goal == two.goal).all()
    assert not (other.sample(50)[0].goal == one.goal).all()
    assert len(first) == 6
    assert first.sample(None)[1].tolist() == list(range(6))
