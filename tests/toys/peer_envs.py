"""Wrapped environments for the training loops of other libraries, and their rewards on numpy arrays.

Spawned workers import the functions by name, which they cannot from a test file.
"""

import gymnasium as gym
import numpy as np
from noise_env import NoiseEnv, small_encoder

from rlpriors.wrappers import EncodeObservation, LearnedReward

PENDULUM_STEPS = 10


def swing(obs, act, obs_next, terminated):
    """Reward of Pendulum that depends on both observations and the action in units of the environment."""
    return 2 * obs_next[:, 0] - obs[:, 2] - 0.5 * act[:, 0]


def balance(obs, act, obs_next, terminated):
    """Reward of CartPole that depends on all four inputs; arrays and tensors."""
    return 10 * obs_next[:, 2] - obs[:, 1] + 0.25 * act[:, 0] - 3 * terminated


def brightness(obs, act, obs_next, terminated):
    """Reward of features."""
    return obs_next.mean(1) - 2 * obs.mean(1) + act[:, 0]


def make_pendulum() -> gym.Env:
    env = gym.make("Pendulum-v1", max_episode_steps=PENDULUM_STEPS)
    return LearnedReward(env, swing, device="cpu")


def make_cart_pole() -> gym.Env:
    return LearnedReward(gym.make("CartPole-v1", max_episode_steps=20), balance, device="cpu")


def make_encoded_noise() -> gym.Env:
    """Features of noise images, and a learned reward of these features."""
    env = EncodeObservation(NoiseEnv(), small_encoder(), device="cpu")
    return LearnedReward(env, brightness, device="cpu")


def as_rows(array: np.ndarray) -> np.ndarray:
    """Join the first two axes [step, environment, ...]."""
    return array.reshape(-1, *array.shape[2:])
