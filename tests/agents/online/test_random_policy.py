"""Uniformly random actions in units of the environment."""

import gymnasium as gym
import numpy as np
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv

from rlpriors.agents import RandomPolicy
from rlpriors.data.buffers import from_buffer
from rlpriors.spaces import wrapped_spaces


def make_env() -> gym.Env:
    """Pendulum with torques given as 0..8, of which the environment receives -2..2."""
    env = gym.make("Pendulum-v1", max_episode_steps=50)
    return gym.wrappers.RescaleAction(env, np.float32(0), np.float32(8))


def test_collected_actions_are_uniform_over_the_wrapped_space() -> None:
    envs, buffer = DummyVectorEnv([make_env] * 4), VectorReplayBuffer(400, 4)
    policy = RandomPolicy(wrapped_spaces(envs).action, seed=3)
    Collector(policy, envs, buffer).collect(n_episode=8, reset_before_collect=True)
    data = from_buffer(buffer, policy=policy)
    assert data.action_space == gym.spaces.Box(0, 8, (1,))
    counts, _ = np.histogram(data.act, bins=4, range=(0, 8))
    assert data.n_steps == 400
    assert counts.min() > 70  # of 100 expected in each quarter


def test_actions_depend_on_the_seed_only() -> None:
    space, batch = gym.spaces.Discrete(5, start=2), Batch(obs=np.zeros((20, 1)), info={})
    policy = RandomPolicy(space, seed=1)
    first = policy(batch).act
    space.seed(9)
    policy.reseed(1)
    assert policy(batch).act.tolist() == first.tolist()
    assert set(first) == {2, 3, 4, 5, 6}
