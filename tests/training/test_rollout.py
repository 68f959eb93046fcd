"""Rollouts in environments without a time limit end with an error that names the limit and the fix."""

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from tianshou.env import DummyVectorEnv

from rlpriors import episode_limit
from rlpriors.agents import AlgorithmSettings, make_algorithm
from rlpriors.envs.rollout import random_policy, rollout
from rlpriors.training.rollout import evaluate_policy, evaluate_returns

ENDLESS = r"`env` must end its episodes within `max_episode_steps`, 50 steps.*TimeLimit"


class Endless(gym.Env):
    """An environment without an end."""

    observation_space = gym.spaces.Box(-1, 1, (3,))
    action_space = gym.spaces.Discrete(3)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        return np.zeros(3, np.float32), {}

    def step(self, action: Any) -> Any:
        return np.zeros(3, np.float32), 1.0, False, False, {}


def limited(n_steps: int) -> Callable[[], gym.Env[Any, Any]]:
    return lambda: gym.wrappers.TimeLimit(Endless(), n_steps)


@pytest.fixture
def policy() -> Any:
    spaces = Endless.observation_space, Endless.action_space
    return make_algorithm(*spaces, AlgorithmSettings("dqn", hidden=(8,)), device="cpu").policy


def test_an_endless_episode_of_a_policy_is_an_error(policy: Any) -> None:
    with pytest.raises(ValueError, match=ENDLESS):
        evaluate_policy(policy, Endless, n_episodes=2, max_episode_steps=50)
    with pytest.raises(ValueError, match=ENDLESS):
        evaluate_returns(policy, DummyVectorEnv([Endless]), 1, max_episode_steps=50)


def test_an_episode_of_just_the_limit_is_whole(policy: Any) -> None:
    store = evaluate_policy(policy, limited(50), n_episodes=2, max_episode_steps=50)
    assert store.lengths.tolist() == [50, 50]
    assert len(evaluate_returns(policy, DummyVectorEnv([limited(50)]), 1, max_episode_steps=50)) == 1


def test_an_endless_episode_of_a_single_environment_is_an_error(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The bound of all rollouts is that of the longest benchmarks, and long episodes are reported before."""
    monkeypatch.setattr(episode_limit, "_LONG", 10)
    with pytest.raises(ValueError, match="108000 steps"):
        list(rollout(Endless, random_policy(0), n_episodes=1, seed=0))
    assert "has not ended after 10 steps" in caplog.text
    (episode,) = rollout(limited(7), random_policy(0), n_episodes=1, seed=0)
    assert len(episode.rew) == 7
