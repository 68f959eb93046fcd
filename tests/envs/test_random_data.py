"""Random data of the toys: whole episodes, all leaves, one seed."""

import gymnasium as gym
import numpy as np
import puck_env
import pytest
import rocket_env

from rlpriors.envs.random_data import collect_random


def test_whole_episodes_with_all_leaves():
    store = collect_random(puck_env.Puck, 200, seed=0, progress=False)
    assert store.lengths.tolist() == [80, 80, 80]
    assert store.obs_layout is not None
    assert store.obs_layout.keys == ("position", "velocity", "wind")
    assert store.truncated.sum() == 3
    again = collect_random(puck_env.Puck, 200, seed=0)
    np.testing.assert_array_equal(store.obs, again.obs)
    assert not np.array_equal(store.act, collect_random(puck_env.Puck, 200, seed=1, progress=False).act)


def test_every_second_episode_repeats_actions():
    store = collect_random(rocket_env.Rocket, 400, seed=0, progress=False)
    changes = [(np.diff(store.episode(i).act) != 0).mean() for i in range(4)]
    assert min(changes[0], changes[2]) > 0.5  # 3/4 of independent draws of four actions differ
    assert max(changes[1], changes[3]) < 0.35  # 3/4 of the ends of runs of 4.5 steps on average


def test_one_leaf_and_wrong_arguments():
    assert collect_random(puck_env.Puck, 1, seed=0, obs_keys=["velocity"], progress=False).obs.shape == (
        81,
        2,
    )
    with pytest.raises(ValueError, match="`n_steps` must be at least 1"):
        collect_random(puck_env.Puck, 0, seed=0)


class Endless(puck_env.Puck):
    def step(self, action):
        obs, reward, terminated, _, info = super().step(action)
        return obs, reward, terminated, False, info


def test_an_episode_without_an_end_is_cut():
    store = collect_random(Endless, 1, seed=0, progress=False)
    assert store.lengths.tolist() == [1000]
    assert isinstance(store.action_space, gym.spaces.Box)
