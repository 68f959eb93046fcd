"""Detection of frame stacks that wrappers of the environment make."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import SyncVectorEnv
from gymnasium.wrappers import FrameStackObservation, TimeLimit, TransformObservation
from noise_env import NoiseEnv
from tianshou.env import DummyVectorEnv, VectorEnvWrapper

from rlpriors.wrappers.images.frame_stack_wrappers import observes_stack


def stacked() -> gym.Env:
    return TimeLimit(FrameStackObservation(NoiseEnv("HW"), 3), 5)


def test_a_stack_is_detected_in_one_and_in_many_environments() -> None:
    assert observes_stack(stacked())
    assert observes_stack(SyncVectorEnv([stacked] * 2))
    assert observes_stack(VectorEnvWrapper(DummyVectorEnv([stacked] * 2)))
    assert not observes_stack(NoiseEnv("HWC"))
    assert not observes_stack(SyncVectorEnv([NoiseEnv] * 2))
    assert not observes_stack(DummyVectorEnv([NoiseEnv] * 2))


def test_a_wrapper_that_changes_the_space_hides_the_stack() -> None:
    space = gym.spaces.Box(0, 255, (48, 46, 3), np.uint8)
    env = TransformObservation(stacked(), lambda obs: obs.transpose(1, 2, 0), space)
    assert not observes_stack(env)


def test_atari_vector_environments_stack_frames() -> None:
    vector_env = pytest.importorskip("ale_py.vector_env", reason="Atari comes with the extra `atari`")
    envs = vector_env.AtariVectorEnv("pong", num_envs=1, stack_num=3)
    assert observes_stack(envs)
    envs.close()
