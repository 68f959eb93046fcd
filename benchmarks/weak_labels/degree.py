"""Preference degree and D-REX next to Bradley-Terry, by number of labels.

`METHODS`   methods by name
`spearman_of` rank correlation of the learned with the true reward on unseen episodes
"""

from typing import Any

import gymnasium as gym
import numpy as np

from rlpriors.agents import GradedEpisodes, PreferenceSettings, grade_pairs, learn_from_preferences
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.control_experts import mix_random
from rlpriors.envs.graded_episodes import collect_graded
from rlpriors.envs.rollout import rollout
from rlpriors.evaluation import spearman
from rlpriors.preferences import OracleLabeler, collect_preferences, uniform_pairs

__all__ = ["FLIPS", "LENGTH", "METHODS", "Swing", "spearman_of"]

LENGTH, FLIPS, N_GRADE_PAIRS = 25, 0.1, 500
METHODS = ("bradley_terry", "degree", "drex")


class Swing:
    """Swing-up of Pendulum: energy pumping, then a linear feedback near the top."""

    def __call__(self, env: gym.Env[Any, Any]) -> np.ndarray:
        """Return the torque."""
        angle, speed = env.unwrapped.state  # type: ignore[attr-defined]
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        energy = speed**2 / 6 + 5 * np.cos(angle)  # 5 at rest at the top
        pump = 2 * np.sign((5 - energy) * (speed or 1.0))
        torque = -10 * angle - 2 * speed if abs(angle) < 0.3 else pump
        return np.array([np.clip(torque, -2, 2)], np.float32)


def _make() -> gym.Env[Any, Any]:
    return gym.make("Pendulum-v1")


def mixed(seed: int, n: int) -> EpisodeStore:
    """Return episodes of the swing-up, of which each has its own fraction of random actions."""

    def make() -> gym.Env[Any, Any]:
        env = gym.make("Pendulum-v1")
        env.action_space.seed(seed)
        return env

    policy = mix_random(Swing, 0.0, 1.0, np.random.default_rng(seed))
    return EpisodeStore.from_episodes(rollout(make, policy, n, seed))


def spearman_of(method: str, n_pairs: int, seed: int, n_updates: int = 300) -> float:
    """Return the rank correlation of the learned with the true reward on the steps of unseen episodes.

    Labels are of mixed data, a tenth of them wrong.  Grades are of 6 episodes for each of 5 amounts of noise.
    """
    graded: GradedEpisodes = collect_graded(_make, Swing, 6, LENGTH, seed)
    unseen = mixed(seed + 1000, 10)
    if method == "drex":
        pairs = grade_pairs(graded, N_GRADE_PAIRS, seed)
        reward = learn_from_preferences(graded.store, pairs, n_updates=n_updates, device="cpu", seed=seed)
    else:
        data = mixed(seed, 30)
        labeler = OracleLabeler(flip_probability=FLIPS, seed=seed)
        labels = collect_preferences(labeler, data, uniform_pairs(data, n_pairs, LENGTH, seed), LENGTH)
        reward = learn_from_preferences(
            data,
            labels,
            settings=PreferenceSettings(),
            graded=graded if method == "degree" else None,
            n_updates=n_updates,
            device="cpu",
            seed=seed,
        )
    return spearman(unseen.relabel(reward).rew, unseen.rew)
