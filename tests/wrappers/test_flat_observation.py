"""Chosen leaves of an observation as one vector."""

import gymnasium as gym
import numpy as np

from rlpriors.wrappers.flat_observation import FlatObservation


def test_observations_are_flattened_in_the_order_of_obs_keys():
    space = gym.spaces.Dict(a=gym.spaces.Box(-9, 9, (1,)), b=gym.spaces.Box(-9, 9, (1, 2)))
    leaves = {"a": np.array([6.0], np.float32), "b": np.array([[7.0, 8.0]], np.float32)}
    env = gym.wrappers.TransformObservation(gym.make("CartPole-v1"), lambda obs: leaves, space)
    obs, _ = FlatObservation(env, ["b", "a"]).reset(seed=0)
    assert obs.tolist() == [7.0, 8.0, 6.0]
    assert FlatObservation(env, ["b", "a"]).observation_space.shape == (3,)
