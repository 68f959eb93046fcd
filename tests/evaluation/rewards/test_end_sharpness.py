"""Sharpness of rewards whose shape around the end is known."""

import numpy as np
import pytest
import torch

from rlpriors.data import Episode, EpisodeStore
from rlpriors.evaluation.rewards.end_sharpness import end_sharpness


def walks(n: int, target: float | None, seed: int) -> EpisodeStore:
    """Walks in the plane to (1, 1), or random ones in a larger square."""
    rng = np.random.default_rng(seed)
    episodes = []
    for _ in range(n):
        path = [rng.uniform(-2, 2, 2)]
        for _ in range(40):
            wish = rng.uniform(-4, 4, 2) if target is None else target - path[-1]
            path.append(path[-1] + 0.25 * wish)
        episodes.append(Episode(np.array(path), np.zeros((40, 1)), *np.zeros((3, 40))))
    return EpisodeStore.from_episodes(episodes)


def distance(obs):
    return (obs - 1).norm(dim=1)


def test_a_plateau_around_the_end_is_found():
    demonstrations, data = walks(6, 1.0, 0), walks(60, None, 1)
    sharp = end_sharpness(lambda obs, *rest: -distance(obs), demonstrations, data)
    flat = end_sharpness(lambda obs, *rest: -torch.clamp(distance(obs), min=3.0), demonstrations, data)
    hole = end_sharpness(lambda obs, *rest: distance(obs), demonstrations, data)
    assert sharp > 0.9
    assert flat == pytest.approx(0.5, abs=0.05)
    assert hole < 0.1


def test_without_states_near_the_ends_it_is_unknown():
    far = walks(10, 40.0, 0)
    assert np.isnan(end_sharpness(lambda obs, *rest: -distance(obs), far, walks(1, None, 1)))
    assert np.isnan(end_sharpness(lambda obs, *rest: -distance(obs), walks(1, 1.0, 0), walks(9, None, 1)))


@pytest.mark.parametrize("length", [1, 3, 4, 5])
def test_the_last_step_is_an_end_of_short_episodes(length):
    data = walks(60, None, 1)
    ends = np.linspace([0.95, 0.95], [1, 1], length + 1)
    short = EpisodeStore.from_episodes([Episode(ends, np.zeros((length, 1)), *np.zeros((3, length)))] * 3)
    assert end_sharpness(lambda obs, *rest: -distance(obs), short, data) > 0.9
    assert end_sharpness(lambda obs, *rest: distance(obs), short, data) < 0.1
