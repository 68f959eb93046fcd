"""Demonstrations with the goals of other episodes."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.agents.irl.other_goals import other_goals
from rlpriors.data.episodes import Episode, EpisodeStore

BOX = gym.spaces.Box(-5, 5, (1,), np.float64)


def store(*goals: float, steps: int = 4) -> EpisodeStore:
    """Walks from 0 to their goals; an observation is position and goal."""
    return EpisodeStore.from_episodes(
        [
            Episode(
                np.stack([np.linspace(0, goal, steps + 1), np.full(steps + 1, goal)], 1),
                np.full((steps, 1), goal / steps),
                *np.zeros((3, steps)),
            )
            for goal in goals
        ],
        action_space=BOX,
    )


def test_each_demonstration_gets_every_other_goal() -> None:
    missed = other_goals(store(1.0, 2.0), store(3.0, 1.0))
    ends = sorted(missed.episode(i).obs[-1].tolist() for i in range(missed.n_episodes))
    assert ends == [[1.0, 2.0], [1.0, 3.0], [2.0, 1.0], [2.0, 3.0]]
    assert missed.action_space == BOX
    assert missed.episode(0).act[0, 0] == missed.episode(0).obs[-1, 0] / 4  # only the goal has changed


def test_the_number_of_copies_and_the_seed() -> None:
    stores = store(1.0, 2.0), store(*np.arange(3.0, 9.0))
    few = other_goals(*stores, n_copies=2, seed=1)
    assert few.n_episodes == 4
    assert np.array_equal(few.obs, other_goals(*stores, n_copies=2, seed=1).obs)
    assert not np.array_equal(few.obs, other_goals(*stores, n_copies=2, seed=2).obs)


@pytest.mark.parametrize(
    ("stores", "message"),
    [
        ((store(1.0, 1.0),), "observations with a goal"),
        ((store(1.0, 2.0), store(1.0)), "observations with a goal"),  # the data has one goal only
    ],
)
def test_observations_without_goals_are_refused(stores: tuple[EpisodeStore, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        other_goals(*stores)


def test_images_and_no_copies_are_refused() -> None:
    images = EpisodeStore.from_episodes(
        [Episode(np.zeros((3, 2, 2)), np.zeros((2, 1)), *np.zeros((3, 2)))] * 2
    )
    with pytest.raises(ValueError, match="flat observations"):
        other_goals(images)
    with pytest.raises(ValueError, match="`n_copies` must be at least 1"):
        other_goals(store(1.0, 2.0), n_copies=0)


def test_a_copy_does_not_terminate() -> None:
    shown = store(1.0, 2.0)
    ended = replace(shown, terminated=np.isin(np.arange(8), (3, 7)))
    missed = other_goals(ended)
    assert not missed.terminated.any()
    assert np.flatnonzero(missed.truncated).tolist() == [3, 7]
