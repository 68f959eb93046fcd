"""Vector environments of Gymnasium under Tianshou: episodes as in Tianshou's own, partial steps, errors."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from line_world import Line, position
from tianshou.data import Collector, VectorReplayBuffer
from tianshou.env import DummyVectorEnv

from rlpriors.agents import RandomPolicy
from rlpriors.spaces import wrapped_spaces
from rlpriors.training.rollout import evaluate_policy
from rlpriors.wrappers.tianshou import GymnasiumVectorEnv, TianshouLearnedReward


def limited() -> gym.Env[Any, Any]:
    return gym.wrappers.TimeLimit(Line(), 5)


def make(n: int = 3) -> GymnasiumVectorEnv:
    return GymnasiumVectorEnv(SyncVectorEnv([limited] * n, autoreset_mode=AutoresetMode.DISABLED))


def test_collected_steps_are_those_of_tianshou() -> None:
    """Equal actions give equal buffers, since the line starts at 0 each time."""
    buffers = []
    for envs in (make(), DummyVectorEnv([limited] * 3)):
        buffer = VectorReplayBuffer(90, 3)
        collector = Collector(RandomPolicy(Line.action_space, seed=1), envs, buffer)
        collector.reset()
        collector.collect(n_step=60)
        collector.collect(n_episode=5, reset_before_collect=True)
        buffers.append(buffer[buffer.sample_indices(0)])
    for key in ("obs", "act", "rew", "terminated", "truncated", "obs_next"):
        np.testing.assert_allclose(buffers[0][key], buffers[1][key], err_msg=key)
    assert buffers[0].done.sum() > 10


def test_steps_of_some_environments() -> None:
    envs = make()
    envs.reset()
    obs, rewards, *_, infos = envs.step(np.array([[0.5], [0.25]]), [2, 0])
    assert obs[:, 0].tolist() == rewards.tolist() == [0.5, 0.25]
    assert [info["env_id"] for info in infos] == [2, 0]
    with pytest.raises(ResetNeeded, match=r"environments \[1\]"):
        envs.step(np.zeros((1, 1)), [1])
    envs.reset([1])
    assert envs.step(np.full((3, 1), 0.25))[0][:, 0].tolist() == [0.5, 0.25, 0.75]


def test_environments_that_ended_wait_for_their_reset() -> None:
    envs = make()
    envs.reset()
    for _ in range(5):
        *_, truncated, _ = envs.step(np.full((1, 1), 0.1), [0])
    assert truncated.tolist() == [True]
    with pytest.raises(ResetNeeded, match=r"environments \[0\]"):
        envs.step(np.zeros((1, 1)), [0])
    envs.reset([1])
    assert envs.step(np.full((1, 1), 0.5), [1])[0].tolist() == [[0.5]]


def test_seeds_determine_first_observations() -> None:
    def first(seed: int) -> np.ndarray:
        vector = SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2, autoreset_mode=AutoresetMode.DISABLED)
        envs = GymnasiumVectorEnv(vector)
        envs.seed(seed)
        return np.concatenate([envs.reset()[0], envs.reset([1])[0], envs.reset([0])[0]])

    np.testing.assert_array_equal(first(3), first(3))
    assert not np.array_equal(first(3), first(4))


def test_spaces_and_a_learned_reward_on_top() -> None:
    envs = make()
    assert wrapped_spaces(envs).action == Line.action_space
    rewarded = TianshouLearnedReward(envs, position, device="cpu")
    store = evaluate_policy(RandomPolicy(Line.action_space), rewarded, 4, seed=0)
    np.testing.assert_allclose(store.rew, store.transitions().obs_next[:, 0], atol=1e-6)


def test_infos_have_the_entries_of_their_environment() -> None:
    class Informed(Line):
        def step(self, action: np.ndarray) -> Any:
            obs, reward, terminated, truncated, _ = super().step(action)
            info = {"half": reward / 2} if reward > 0.3 else {}
            return obs, reward, terminated, truncated, info

    envs = GymnasiumVectorEnv(SyncVectorEnv([Informed] * 2, autoreset_mode=AutoresetMode.DISABLED))
    envs.reset()
    *_, infos = envs.step(np.array([[0.5], [0.1]]))
    assert list(infos) == [{"half": 0.25, "env_id": 0}, {"env_id": 1}]


def test_environments_that_do_not_fit() -> None:
    with pytest.raises(TypeError, match="must be a vector environment of Gymnasium"):
        GymnasiumVectorEnv(limited())
    with pytest.raises(ValueError, match="must not reset by itself"):
        GymnasiumVectorEnv(SyncVectorEnv([limited]))
    envs = make()
    envs.reset()
    with pytest.raises(ValueError, match=r"for each of 3 environments\. Received 2"):
        envs.step(np.zeros((2, 1)))
    with pytest.raises(ValueError, match="Received None"):
        envs.step(None)
    with pytest.raises(ValueError, match="must be set on the environment of Gymnasium"):
        envs.set_env_attr("x", 1)
    envs.close()
    assert envs.is_closed
