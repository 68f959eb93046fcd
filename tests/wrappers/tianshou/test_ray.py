"""Workers that hold a handle instead of an environment, as Ray's: spaces, encodings, rewards, a Collector.

tests/peers/test_ray.py runs Ray itself.
"""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
from noise_env import NoiseEnv, assert_close, small_encoder
from tianshou.algorithm.algorithm_base import Policy
from tianshou.data import Batch, Collector, VectorReplayBuffer
from tianshou.env import BaseVectorEnv, DummyVectorEnv
from tianshou.env.worker import DummyEnvWorker

from rlpriors.wrappers.tianshou import TianshouEncodeObservation, TianshouLearnedReward


class Handle:
    """Stand-in for `ray.actor.ActorHandle`, which has none of the environment's attributes."""


class HandleWorker(DummyEnvWorker):
    """Worker whose `env` is a handle between calls."""

    def __init__(self, env_fn: Callable[[], gym.Env]) -> None:
        self.remote = env_fn()
        super().__init__(Handle)

    def get_env_attr(self, key: str) -> Any:
        return getattr(self.remote, key)

    def reset(self, **kwargs: Any) -> Any:
        return self.remote.reset(**kwargs)

    def send(self, action: Any, **kwargs: Any) -> None:
        self.result = self.remote.reset(**kwargs) if action is None else self.remote.step(action)

    def close_env(self) -> None:
        self.remote.close()


def make(makers: list[Callable[[], gym.Env]]) -> BaseVectorEnv:
    return BaseVectorEnv(makers, HandleWorker)


class First(Policy):
    def forward(self, batch: Any, state: Any = None, **kwargs: Any) -> Batch:
        return Batch(act=np.zeros(len(batch.obs), int), state=state)


def collect(venv: BaseVectorEnv) -> VectorReplayBuffer:
    buffer = VectorReplayBuffer(100, 2)
    collector = Collector(First(action_space=gym.spaces.Discrete(2)), venv, buffer)
    collector.reset(gym_reset_kwargs={"seed": 0})
    collector.collect(n_step=20)
    venv.close()
    return buffer


def test_rewards() -> None:
    makers = [lambda: gym.make("CartPole-v1")] * 2

    def angle(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
        return obs_next[:, 2]

    buffer = collect(TianshouLearnedReward(make(makers), angle, device="cpu"))
    expected = collect(TianshouLearnedReward(DummyVectorEnv(makers), angle, device="cpu"))
    assert len(buffer) == 20
    np.testing.assert_array_equal(buffer.rew, expected.rew)
    np.testing.assert_array_equal(buffer.info["env_reward"], expected.info["env_reward"])


def test_encodings() -> None:
    makers, encoder = [NoiseEnv] * 2, small_encoder()
    buffer = collect(TianshouEncodeObservation(make(makers), encoder, stack=2))
    expected = collect(TianshouEncodeObservation(DummyVectorEnv(makers), encoder, stack=2))
    assert buffer.obs.shape == (100, 1024)
    assert_close(buffer.obs, expected.obs)
