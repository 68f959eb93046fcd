"""Wrappers after an exception in a step: no observation or reward spans two steps."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.error import ResetNeeded
from gymnasium.vector import SyncVectorEnv
from noise_env import NoiseEnv, assert_close, small_encoder
from tianshou.env import DummyVectorEnv

from rlpriors.wrappers import EncodeObservation, LearnedReward, VectorEncodeObservation, VectorLearnedReward
from rlpriors.wrappers.step_guard import StepGuard
from rlpriors.wrappers.tianshou import TianshouEncodeObservation, TianshouLearnedReward


class Counter(gym.Env[np.ndarray, int]):
    """Counts its steps; a broken one raises in its second step."""

    observation_space = gym.spaces.Box(-9, 9, (1,))
    action_space = gym.spaces.Discrete(2)

    def __init__(self, breaks: bool = False) -> None:
        self.breaks = breaks

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.time += 1
        if self.breaks and self.time == 2:
            self.breaks = False
            raise RuntimeError("broken")
        return np.full(1, self.time, np.float32), 0.0, False, False, {}


def change(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
    return obs_next[:, 0] - obs[:, 0]


MAKERS = [Counter, lambda: Counter(breaks=True)]


@pytest.mark.parametrize(
    ("env", "action"),
    [
        (lambda: LearnedReward(Counter(breaks=True), change), 0),
        (lambda: VectorLearnedReward(SyncVectorEnv(MAKERS), change), np.zeros(2, int)),
        (lambda: TianshouLearnedReward(DummyVectorEnv(MAKERS), change), np.zeros(2, int)),
    ],
    ids=["single", "vector", "tianshou"],
)
def test_a_reward_needs_a_reset_after_an_exception(env: Any, action: Any) -> None:
    env = env()
    with pytest.raises(ResetNeeded, match="They were not reset, or an exception interrupted a step"):
        env.step(action)
    env.reset()
    np.testing.assert_array_equal(env.step(action)[1], 1.0)
    with pytest.raises(RuntimeError, match="broken"):
        env.step(action)
    with pytest.raises(ResetNeeded, match=r"environments \[0.* have no current observation"):
        env.step(action)
    env.reset()
    np.testing.assert_array_equal(env.step(action)[1], 1.0)
    np.testing.assert_array_equal(env.step(action)[1], 1.0)


@pytest.mark.parametrize(
    ("wrap", "action"),
    [
        (lambda encoder: EncodeObservation(NoiseEnv(), encoder, stack=2), 0),
        (
            lambda encoder: VectorEncodeObservation(SyncVectorEnv([NoiseEnv] * 2), encoder, stack=2),
            np.zeros(2, int),
        ),
        (
            lambda encoder: TianshouEncodeObservation(DummyVectorEnv([NoiseEnv] * 2), encoder, stack=2),
            np.zeros(2, int),
        ),
    ],
    ids=["single", "vector", "tianshou"],
)
def test_a_frame_stack_needs_a_reset_after_the_encoder_fails(wrap: Any, action: Any) -> None:
    encoder = small_encoder()
    env = wrap(encoder)
    first = env.reset(seed=3)[0]
    fails = [True]

    def out_of_memory(*_: Any) -> None:
        if fails:
            raise torch.OutOfMemoryError("no memory")

    encoder.backbone.register_forward_hook(out_of_memory)
    with pytest.raises(MemoryError):
        env.step(action)
    fails.clear()
    with pytest.raises(ResetNeeded, match="have no current observation"):
        env.step(action)
    assert_close(env.reset(seed=3)[0], first)
    second = env.step(action)[0]
    assert_close(second[..., :512], first[..., 512:])


def test_a_partial_reset_leaves_the_others_without_an_observation() -> None:
    envs = SyncVectorEnv(MAKERS, autoreset_mode="Disabled")
    envs = VectorLearnedReward(envs, change)
    envs.reset()
    envs.step(np.zeros(2, int))
    with pytest.raises(RuntimeError, match="broken"):
        envs.step(np.zeros(2, int))
    with pytest.raises(ResetNeeded, match=r"environments \[0\] have no current observation"):
        envs.reset(options={"reset_mask": np.array([False, True])})
    envs.reset()
    envs.step(np.zeros(2, int))
    envs.reset(options={"reset_mask": np.array([False, True])})
    np.testing.assert_array_equal(envs.step(np.zeros(2, int))[1], [1.0, 1.0])


def test_one_environment_of_tianshou_can_be_reset_alone() -> None:
    envs = TianshouLearnedReward(DummyVectorEnv(MAKERS), change)
    envs.reset()
    envs.step(np.zeros(2, int))
    with pytest.raises(RuntimeError, match="broken"):
        envs.step(np.zeros(2, int))
    envs.reset([1])
    with pytest.raises(ResetNeeded, match=r"environments \[0\] have"):
        envs.step(np.zeros(2, int))
    assert envs.step(np.zeros(1, int), [1])[1].tolist() == [1.0]


def test_a_failed_reset_keeps_the_other_environments() -> None:
    guard = StepGuard(2)
    with guard.reset([0, 1]):
        pass
    with pytest.raises(RuntimeError), guard.reset([1]):
        raise RuntimeError
    assert guard.is_current.tolist() == [True, False]
    with guard.step([0]):
        pass
    assert guard.is_current.tolist() == [True, False]
