"""Scripted experts of control tasks."""

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.data.episodes import Episode
from rlpriors.envs.control_experts import BalanceDoublePendulum, LandOnPad, ReachGoal, mix_random
from rlpriors.envs.make import make_env
from rlpriors.envs.rollout import rollout


def returns(episodes: list[Episode]) -> float:
    return float(np.mean([episode.rew.sum() for episode in episodes]))


def test_both_poles_stay_upright() -> None:
    pytest.importorskip("mujoco")
    episodes = list(
        rollout(
            lambda: gym.make("InvertedDoublePendulum-v5", max_episode_steps=200), BalanceDoublePendulum, 3, 0
        )
    )
    assert [len(episode.rew) for episode in episodes] == [200] * 3
    assert returns(episodes) > 9.3 * 200  # 9.36 a step at rest


def test_the_gripper_reaches_the_goal() -> None:
    pytest.importorskip("gymnasium_robotics")
    env = make_env("FetchReachDense-v4")
    obs, _ = env.reset(seed=0)
    for _ in range(40):
        obs, *_ = env.step(ReachGoal()(env))
    assert np.linalg.norm(obs["achieved_goal"] - obs["desired_goal"]) < 0.05  # success
    env.close()


def test_the_lander_lands() -> None:
    pytest.importorskip("Box2D")
    pytest.importorskip("pygame")
    assert returns(list(rollout(lambda: gym.make("LunarLander-v3"), LandOnPad, 5, 0))) > 200


def test_actions_are_mixed_in_the_drawn_share_and_recorded() -> None:
    def make_env() -> gym.Env:
        env = gym.make("CartPole-v1", max_episode_steps=30)
        env.action_space.seed(0)
        return env

    def share(low: float, high: float) -> float:
        policy = mix_random(lambda: lambda env: 2, low, high, np.random.default_rng(0))
        make = policy()
        env = make_env()
        return float(np.mean([make(env) != 2 for _ in range(2000)]))

    assert share(0.0, 0.0) == 0
    assert share(1.0, 1.0) == 1
    assert share(0.25, 0.25) == pytest.approx(0.25, abs=0.03)
    always = mix_random(lambda: lambda env: 1, 0.5, 0.5, np.random.default_rng(0))
    acts = np.concatenate([episode.act for episode in rollout(make_env, always, 20, 0)])
    assert 0 < np.mean(acts == 0) < 0.5
    with pytest.raises(ValueError, match="0 <= low <= high <= 1. Received 0.5 and 0.2".replace(".", r"\.")):
        mix_random(lambda: lambda env: 0, 0.5, 0.2, np.random.default_rng(0))
