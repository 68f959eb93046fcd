"""Graded episodes of a policy: less noise, higher grade; equal seeds, equal episodes."""

import numpy as np
import pytest
from points import Point

from rlpriors.envs.graded_episodes import collect_graded


def home(env) -> np.ndarray:
    return np.clip(-3 * env.unwrapped.at, -1, 1).astype(np.float32)


def test_grades_and_noise() -> None:
    graded = collect_graded(Point, lambda: home, n_episodes=6, length=5, seed=0)
    assert graded.grades.tolist() == [grade for grade in (4, 3, 2, 1, 0) for _ in range(6)]
    assert (graded.store.lengths == 20).all()
    assert graded.store.action_space == Point().action_space
    ends = np.abs(graded.store.obs[graded.store.step_starts + np.arange(30) + 20, 0])
    means = [ends[graded.grades == grade].mean() for grade in range(5)]
    assert means[4] < 0.05
    assert means[4] < means[2] < means[0]
    steps = graded.store.episode_of < 6  # without noise, the actions are those of the policy
    at = graded.store.obs[:-1][np.arange(graded.store.n_steps)[steps] + graded.store.episode_of[steps]]
    assert np.allclose(graded.store.act[steps], np.clip(-3 * at, -1, 1))


def test_equal_seeds_give_equal_episodes() -> None:
    first, same, other = (
        collect_graded(Point, lambda: home, n_episodes=2, length=5, seed=seed).store.obs for seed in (3, 3, 4)
    )
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


@pytest.mark.parametrize("noise", [(0.0,), (0.5, 0.0), (0.0, 1.5)])
def test_errors(noise) -> None:
    with pytest.raises(ValueError, match="`noise` must be at least two increasing fractions"):
        collect_graded(Point, lambda: home, n_episodes=1, length=5, noise=noise)
