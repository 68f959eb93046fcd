"""Lengths of ways: quarters of a window, entries by their variation, rests, and ends of episodes."""

import numpy as np
import torch

from rlpriors.agents import TrajectoryLayout
from rlpriors.agents.irl.path_lengths import PathLengths
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data import Episode, EpisodeStore
from rlpriors.data.normalize import Normalizer


def lengths_of(*ways, horizon: int = 4, stride: int = 1, variation=(1.0, 1.0)) -> PathLengths:
    episodes = []
    for way in ways:
        obs = np.asarray(way, np.float32).reshape(len(way), -1)
        episodes.append(Episode(obs, np.zeros((len(way) - 1, 1)), *np.zeros((3, len(way) - 1))))
    windows = WindowBuffer(EpisodeStore.from_episodes(episodes), horizon, stride, None, seed=0)
    dim = episodes[0].obs.shape[1]
    layout = TrajectoryLayout(horizon, stride, Normalizer.identity(dim), Normalizer.identity(1))
    return PathLengths(windows, layout, torch.tensor(variation))


def test_ways_are_measured_within_their_episodes() -> None:
    # Steps 0 to 4 are of the first episode, steps 5 to 8 of the second.
    lengths = lengths_of([0, 1, 3, 6, 6, 6], [100, 99, 97, 97, 97])
    np.testing.assert_allclose(lengths.between(np.array([0, 2, 5]), np.array([2, 4, 7])), [3, 3, 3])
    # Windows of 4 steps have lengths of 6, 5 up to the last step, and 3 in the second episode.
    np.testing.assert_allclose(lengths.mean_of_windows(), (6 + 5 + 3) / 3)


def test_entries_count_by_their_variation() -> None:
    way = np.zeros((6, 2))
    way[1:, 1] = 3.0
    lengths = lengths_of(way, variation=(1.0, 9.0, 1.0))
    np.testing.assert_allclose(lengths.between(np.array([0]), np.array([4])), [1.0])


def test_small_movements_around_a_place_cancel() -> None:
    # Quarters of 4 steps; the place alternates every step.
    lengths = lengths_of(np.arange(41) % 2, horizon=8, stride=2)
    np.testing.assert_allclose(lengths.between(np.array([0]), np.array([30])), [0.0])


def test_steps_at_rest() -> None:
    # Quarters of 1 step; steps 3 and 4 of the first episode rest, and all of the second but its first.
    lengths = lengths_of([0, 1, 3, 6, 6, 6], [100, 99, 99, 99])
    assert lengths.resting_steps(0.5).tolist() == [3, 6]  # the last step of an episode has no quarter
    assert lengths.resting_steps(1.5).tolist() == [0, 3, 5, 6]
