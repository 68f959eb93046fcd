"""Recorded one-step bandits of mixed quality, for offline algorithms.

`noisy_pushes`  Box actions around a bad and a good value
`arms`          Discrete actions with rewards 0 and 1
"""

import gymnasium as gym
import numpy as np

from rlpriors.data.episodes import EpisodeStore

PLANE = gym.spaces.Box(-np.inf, np.inf, (2,))
PUSH = gym.spaces.Box(-1, 1, (1,))
DISCRETE = gym.spaces.Discrete(3)


def _store(obs: np.ndarray, act: np.ndarray, rew: np.ndarray, space: gym.Space) -> EpisodeStore:
    n = len(rew)
    ends = np.ones(n, bool)
    both = np.repeat(obs, 2, axis=0).astype(np.float32)
    return EpisodeStore(both, act, rew, ends, ~ends, np.ones(n, np.int64), action_space=space)


def noisy_pushes(n: int, seed: int) -> EpisodeStore:
    """Four fifths of the actions near -0.5, one fifth near +0.5; the reward is minus the error to +0.5."""
    rng = np.random.default_rng(seed)
    good = np.arange(n) % 5 == 0
    act = np.where(good, 0.5, -0.5) + 0.05 * rng.normal(size=n)
    return _store(0.1 * rng.normal(size=(n, 2)), act[:, None].astype(np.float32), -np.abs(act - 0.5), PUSH)


def arms(n: int, seed: int) -> EpisodeStore:
    """Arm 0 in four fifths of the steps with reward 0, arm 1 in one fifth with reward 1; never arm 2."""
    rng = np.random.default_rng(seed)
    act = (np.arange(n) % 5 == 0).astype(np.int64)
    return _store(0.1 * rng.normal(size=(n, 2)), act, act.astype(float), DISCRETE)
