"""Demonstrations whose actions do not belong to their observations are found before any training."""

from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest
from benchmarks.own_data.demonstrations import record
from puck_env import Puck, push
from rocket_env import Rocket, fly

from rlpriors.data import EpisodeStore
from rlpriors.data.readers.load import load_episodes
from rlpriors.envs.random_data import collect_random
from rlpriors.evaluation.rewards.dynamics_check import change_scales, dynamics_agreement


@pytest.mark.parametrize(("env", "act"), [(Rocket, fly), (Puck, push)])
def test_shuffled_actions_and_other_units(env, act, tmp_path):
    data = collect_random(env, 10_000, seed=1, progress=False)
    record(tmp_path / "demos.npz", env(), act, 10)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    demonstrations = load_episodes(tmp_path / "demos.npz", **spaces)

    def agreement(store: EpisodeStore) -> float:
        return dynamics_agreement(store, data, np.random.default_rng(0))

    assert agreement(demonstrations) > 0.7
    order = np.random.default_rng(0).permutation(demonstrations.n_steps)
    assert agreement(replace(demonstrations, act=demonstrations.act[order])) < 0.3
    assert agreement(replace(demonstrations, obs=np.float32(57.3) * demonstrations.obs)) < 0.3


@pytest.mark.parametrize(
    ("env", "act", "column"), [(Rocket, fly, 0), (Rocket, fly, 1), (Puck, push, 2), (Puck, push, 3)]
)
def test_units_that_differ_by_a_factor(env, act, column, tmp_path):
    data = collect_random(env, 10_000, seed=1, progress=False)
    record(tmp_path / "demos.npz", env(), act, 10)
    spaces = {"observation_space": env.observation_space, "action_space": env.action_space}
    demonstrations = load_episodes(tmp_path / "demos.npz", **spaces)

    def scales(store: EpisodeStore) -> np.ndarray:
        return change_scales(store, data, np.random.default_rng(0)).certain()

    assert np.all((scales(demonstrations) > 0.69) & (scales(demonstrations) < 1.45))
    half = demonstrations.obs.copy()
    half[:, column] /= 2
    assert scales(replace(demonstrations, obs=half)).min() < 0.625
    assert scales(replace(demonstrations, obs=demonstrations.obs / 2)).min() < 0.625
    if isinstance(env.action_space, gym.spaces.Box):
        assert scales(replace(demonstrations, act=demonstrations.act / 2)).max() > 1.6


def test_scales_are_unknown_where_the_data_says_nothing():
    rng = np.random.default_rng(0)
    obs, act = rng.normal(size=(201, 1)).cumsum(0), rng.normal(size=(200, 1))
    none = np.zeros(200, bool)
    walk = EpisodeStore(obs, act, np.zeros(200), none, none, np.array([200]))
    assert np.isnan(change_scales(walk, walk, rng).scales).all()
    assert change_scales(walk, walk, rng).certain().tolist() == [1.0]


def test_actions_without_effect_are_no_error():
    rng = np.random.default_rng(0)
    obs, act = rng.normal(size=(201, 1)).cumsum(0), rng.normal(size=(200, 1))
    none = np.zeros(200, bool)
    walk = EpisodeStore(obs, act, np.zeros(200), none, none, np.array([200]))
    assert dynamics_agreement(walk, walk, rng) == 1
    with pytest.raises(ValueError, match="at least 10 steps"):
        dynamics_agreement(
            walk, EpisodeStore(obs[:6], act[:5], np.zeros(5), *np.zeros((2, 5), bool), np.array([5])), rng
        )
