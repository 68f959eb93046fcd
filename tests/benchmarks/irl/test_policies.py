"""Policies that are trained on a reward alone: standardized rewards, and the two ends of their scale."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from benchmarks.irl.policies import PolicyBudget, StandardizedReward, fixed_returns, make_agent, train_policy
from tianshou.env import DummyVectorEnv

from rlpriors.agents import AlgorithmSettings
from rlpriors.data.episodes import Episode, EpisodeStore


def store(values: list[float], terminated: bool = False) -> EpisodeStore:
    obs = np.array(values)[:, None]
    n = len(values) - 1
    ends = np.arange(n) == n - 1
    return EpisodeStore.from_episodes(
        [Episode(obs, np.zeros((n, 1)), np.zeros(n), ends & terminated, ends & (not terminated))]
    )


def state(obs: torch.Tensor, act: torch.Tensor, obs_next: torch.Tensor, end: torch.Tensor) -> torch.Tensor:
    return obs[:, 0]


def test_rewards_are_standardized_without_the_truth() -> None:
    data = store([1.0, 3.0, 0.0])  # rewards 1 and 3: mean 2, deviation 1
    reward = StandardizedReward(state, data, gamma=0.9, std=3.0)
    assert reward(*data.transitions()).tolist() == pytest.approx([-3.0, 3.0])


def test_scale_and_zero_of_a_reward_do_not_matter() -> None:
    data = store([1.0, 3.0, 0.0], terminated=True)
    plain = StandardizedReward(state, data, gamma=0.9)
    other = StandardizedReward(lambda *step: 5 * state(*step) - 7, data, gamma=0.9)
    assert torch.allclose(plain(*data.transitions()), other(*data.transitions()))
    assert plain(*data.transitions()).tolist() == pytest.approx([-1.0, 10.0])  # 1 / (1 - .9) at the end


def test_the_true_reward_keeps_its_zero() -> None:
    data = store([1.0, 3.0, 0.0], terminated=True)
    reward = StandardizedReward(state, data, gamma=0.9, absorbing=False)
    assert reward(*data.transitions()).tolist() == pytest.approx([1.0, 3.0])


def test_a_constant_reward_is_zero() -> None:
    data = store([2.0, 2.0, 2.0])
    assert StandardizedReward(state, data, gamma=0.9)(*data.transitions()).tolist() == [0.0, 0.0]


def test_fixed_returns_are_those_of_random_and_zero_actions() -> None:
    def mean_return(episodes: EpisodeStore) -> float:
        return float(episodes.rew.sum() / episodes.n_episodes)

    returns = fixed_returns(lambda: gym.make("Pendulum-v1", max_episode_steps=5), 3, 0, mean_return)
    assert returns.keys() == {"random-action", "zero-action"}
    again = fixed_returns(lambda: gym.make("Pendulum-v1", max_episode_steps=5), 3, 0, mean_return)
    assert returns == again
    assert returns["random-action"] < 0


def test_a_policy_is_trained_on_the_reward_alone() -> None:
    vector = DummyVectorEnv([lambda: gym.make("Pendulum-v1", max_episode_steps=20)] * 16)
    spaces = gym.make("Pendulum-v1").observation_space, gym.make("Pendulum-v1").action_space
    calls = []

    def reward(*step: torch.Tensor) -> torch.Tensor:
        calls.append(len(step[0]))
        return -step[1][:, 0]

    policy = train_policy(spaces, vector, reward, PolicyBudget().quick(), store([0.0, 1.0]), seed=0)
    assert sum(calls) == 320  # one reward per step of the environments
    assert policy.action_space == spaces[1]


def test_an_agent_reads_observations_in_the_range_of_the_data() -> None:
    env = gym.make("Pendulum-v1", max_episode_steps=20)
    data = EpisodeStore.from_episodes(
        [
            Episode(
                np.array([[-1.0, -1.0, -80.0], [1.0, 1.0, 80.0]]),
                np.zeros((1, 1)),
                *np.zeros((2, 1)),
                np.ones(1),
            )
        ]
    )
    outputs = []
    for normalized in (True, False):
        settings = AlgorithmSettings("sac", hidden=(8,), normalize_observations=normalized)
        agent = make_agent((env.observation_space, env.action_space), settings, data, seed=0)
        obs = np.array([[0.5, -0.5, 40.0 if normalized else 0.5]], np.float32)
        outputs.append(agent.policy.actor(obs)[0][0].detach())
    assert torch.allclose(*outputs)  # half of the range of the third entry is 40
