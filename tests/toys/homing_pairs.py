"""Small data sets with comparisons whose answers are known."""

import numpy as np

from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.preferences.samplers import uniform_pairs


def ramp(steps: int = 8) -> EpisodeStore:
    """Two episodes: 0, 1, 2, ... and its negative; the reward is the observation."""
    up = np.arange(steps + 1.0)
    end = np.arange(steps) == steps - 1
    episodes = [
        Episode(sign * up[:, None], np.zeros((steps, 1)), sign * up[:-1], np.zeros(steps, bool), end)
        for sign in (1, -1)
    ]
    return EpisodeStore.from_episodes(episodes)


def hills(n: int = 12, steps: int = 24, seed: int = 0) -> EpisodeStore:
    """Random walks in two dimensions; the reward is minus the distance from the origin."""
    rng, episodes = np.random.default_rng(seed), []
    for _ in range(n):
        act = rng.normal(size=(steps, 2))
        obs = rng.uniform(-2, 2, 2) + np.concatenate([np.zeros((1, 2)), 0.4 * act.cumsum(0)])
        end = np.arange(steps) == steps - 1
        episodes.append(Episode(obs, act, -np.linalg.norm(obs[:-1], axis=1), np.zeros(steps, bool), end))
    return EpisodeStore.from_episodes(episodes)


def true_preferences(
    data: EpisodeStore, n: int, length: int, *, flips: float = 0.0, undecided: float = 0.0, seed: int = 0
) -> PreferenceSet:
    """Pairs labeled by the true rewards; fractions of them are flipped and undecided."""
    clips = uniform_pairs(data, n, length, seed)
    first = data.step_starts[clips[..., 0]] + clips[..., 1]
    sums = data.rew[first[..., None] + np.arange(length)].sum(-1)
    rng = np.random.default_rng(seed)
    labels = (sums[:, 1] > sums[:, 0]) ^ (rng.random(n) < flips)
    labels = np.where(rng.random(n) < undecided, -1, labels.astype(np.int64))
    return PreferenceSet(clips, labels, np.ones(n), length, store_fingerprint(data), "near the origin")
