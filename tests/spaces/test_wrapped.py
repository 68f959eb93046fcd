"""Spaces of environments with wrappers: Gymnasium, its vector environments, and Tianshou's."""

from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tianshou.env import BaseVectorEnv, DummyVectorEnv, ShmemVectorEnv, SubprocVectorEnv

from rlpriors.spaces import action_spaces, same_actions, wrapped_spaces
from rlpriors.training.episode_statistics import RecordEpisodeReturns
from rlpriors.wrappers.tianshou import TianshouLearnedReward

UNIT = gym.spaces.Box(0, 1, (1,))


def to_torque(action: np.ndarray) -> np.ndarray:
    return 4 * action - 2


def first_two(obs: np.ndarray) -> np.ndarray:
    return obs[:2]


def make_env() -> gym.Env[Any, Any]:
    """Pendulum, torques in -2..2 and observations of 3 numbers, wrapped to actions in 0..1 and 2 numbers."""
    env = gym.wrappers.TransformAction(gym.make("Pendulum-v1"), to_torque, gym.spaces.Box(0, 1, (1,)))
    return gym.wrappers.TransformObservation(env, first_two, gym.spaces.Box(-1, 1, (2,)))


@pytest.mark.parametrize(
    "make",
    [
        make_env,
        partial(gym.vector.SyncVectorEnv, [make_env] * 2),
        partial(DummyVectorEnv, [make_env] * 2),
        partial(SubprocVectorEnv, [make_env] * 2),
        partial(ShmemVectorEnv, [make_env] * 2),
    ],
    ids=["single", "sync", "dummy", "subproc", "shmem"],
)
def test_spaces_include_all_wrappers(make: Any) -> None:
    env = make()
    try:
        assert wrapped_spaces(env) == (gym.spaces.Box(-1, 1, (2,)), UNIT)
    finally:
        env.close()


def height(obs: Any, act: Any, obs_next: Any, terminated: Any) -> Any:
    return obs_next[:, 0]


@pytest.mark.parametrize("kind", [DummyVectorEnv, SubprocVectorEnv])
def test_wrappers_of_this_library_answer_with_wrapped_spaces(kind: type[BaseVectorEnv]) -> None:
    """Each environment samples from its own space, seeded by the seed of this environment."""
    inner = kind([make_env] * 2)
    envs = RecordEpisodeReturns(TianshouLearnedReward(inner, height, device="cpu"))
    try:
        assert envs.action_space == [UNIT, UNIT]
        assert envs.observation_space == [gym.spaces.Box(-1, 1, (2,))] * 2
        envs.seed(5)
        samples = [space.sample() for space in action_spaces(envs)]
        expected = [gym.spaces.Box(0, 1, (1,), seed=seed).sample() for seed in (5, 6)]
        assert np.array_equal(samples, expected)
    finally:
        envs.close()


def test_an_object_without_spaces_is_refused() -> None:
    with pytest.raises(TypeError, match=r"`env` must be an environment.*Received a list"):
        wrapped_spaces([])


def test_bounds_may_differ_by_rounding() -> None:
    box = partial(gym.spaces.Box, shape=(1,))
    assert same_actions(box(-0.1, 0.1), box(-0.1, 0.1, dtype=np.float64))
    assert not same_actions(box(-1, 1), box(-2, 2))
    assert not same_actions(gym.spaces.Discrete(2), gym.spaces.Discrete(2, start=1))
    assert not same_actions(gym.spaces.Discrete(2), box(-1, 1))


def test_discrete_actions_may_be_integers_of_any_type() -> None:
    discrete, several = gym.spaces.Discrete(2), partial(gym.spaces.MultiDiscrete, dtype=np.int32)
    small = gym.spaces.Discrete(2)
    small.dtype = np.dtype(np.int32)  # as of Discrete(2, dtype=np.int32), which Gymnasium 1.2 lacks
    assert same_actions(small, discrete)
    assert same_actions(several([2, 4]), gym.spaces.MultiDiscrete([2, 4]))
    assert not same_actions(several([2, 4]), gym.spaces.MultiDiscrete([2, 3]))
    assert not same_actions(several([2, 4]), gym.spaces.MultiDiscrete([2]))
