"""Episodes whose segments are easy to compare by hand, and their labels."""

import numpy as np

from rlpriors.data.episodes import Episode, EpisodeStore


def counting_store(lengths: tuple[int, ...] = (8, 5)) -> EpisodeStore:
    """Episodes in which observation, action and reward of step t of episode e are 100 e + t."""
    return EpisodeStore.from_episodes(counting_episode(100.0 * e, n) for e, n in enumerate(lengths))


def counting_episode(first: float, length: int) -> Episode:
    steps = first + np.arange(length, dtype=np.float32)
    ends = np.arange(length) == length - 1
    obs = first + np.arange(length + 1, dtype=np.float32)[:, None]
    return Episode(np.concatenate([obs, -obs], 1), steps[:, None], steps, ends, np.zeros(length, bool))


def image_store(length: int = 6, size: int = 12) -> EpisodeStore:
    """One episode of RGB images in which a white column moves to the right; the reward is its column."""
    obs = np.zeros((length + 1, size, size, 3), np.uint8)
    for step in range(length + 1):
        obs[step, :, step] = 255
    rew = np.arange(length, dtype=np.float32)
    ends = np.arange(length) == length - 1
    return EpisodeStore.from_episodes([Episode(obs, np.zeros((length, 1)), rew, ends, ~ends & ends)])
