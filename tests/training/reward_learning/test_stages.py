"""Trained rewards of demonstrations that progress and of demonstrations that repeat movements."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.agents import TrajectoryLayout
from rlpriors.data import Episode, EpisodeStore
from rlpriors.rewards import ClippedReward, MLPReward, RewardModel
from rlpriors.training.reward_learning.stages import make_planner, make_reward, train_reward

SPACE = gym.spaces.Box(-1, 1, (1,))
LENGTH = 80


def store(kind: str, n: int = 6) -> EpisodeStore:
    """Swings of radius 1 that begin anywhere, or walks from 0 to 1."""
    episodes = []
    for number in range(n):
        t = np.arange(LENGTH + 1.0)
        obs = np.stack([np.cos(number + 0.3 * t), np.sin(number + 0.3 * t)], 1)
        if kind == "walk":
            obs = np.stack([t / LENGTH, obs[:, 1]], 1)
        episodes.append(Episode(obs, np.zeros((LENGTH, 1)), *np.zeros((3, LENGTH))))
    return EpisodeStore.from_episodes(episodes, action_space=SPACE)


def wider(shown: EpisodeStore, factor: float) -> EpisodeStore:
    episodes = (shown.episode(i) for i in range(shown.n_episodes))
    return EpisodeStore.from_episodes(
        (Episode(factor * e.obs, e.act, e.rew, e.terminated, e.truncated) for e in episodes),
        action_space=SPACE,
    )


def learn(shown: EpisodeStore, data: EpisodeStore, folder, **options) -> RewardModel:
    layout = TrajectoryLayout.fit(data, horizon=8)
    return train_reward(
        make_planner(layout, SPACE, device="cpu"),
        make_reward(layout, "observation"),
        shown,
        data,
        folder=folder,
        name="reward",
        n_updates=4,
        checkpoint_every=4,
        seed=0,
        resume=False,
        tracker="csv",
        **options,
    )


@pytest.mark.parametrize(
    ("kind", "objective", "is_clipped"),
    [("swing", "density-ratio", True), ("walk", "density-ratio", False), ("swing", "contrastive", False)],
)
def test_density_ratios_of_gaits_are_clipped(kind, objective, is_clipped, tmp_path):
    reward = learn(store(kind), wider(store(kind), 0.5), tmp_path, objective=objective)
    assert type(reward) is (ClippedReward if is_clipped else MLPReward)


def test_the_range_is_that_of_demonstrations_and_negatives(tmp_path):
    shown = store("swing")
    reward = learn(shown, wider(shown, 9.0), tmp_path, objective="density-ratio", reference=wider(shown, 3.0))
    assert isinstance(reward, ClippedReward)
    np.testing.assert_allclose(reward.settings.high, 3 * shown.obs.max(0), rtol=1e-6)
