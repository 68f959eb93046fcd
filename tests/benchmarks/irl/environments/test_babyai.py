"""BabyAI's room with a ball: its vector observation, its bot, and its true reward."""

import gymnasium as gym
import numpy as np
import pytest
import torch
from benchmarks.irl.environments.babyai import FollowBot, babyai, ball_reached
from benchmarks.irl.environments.registry import make_environment

from rlpriors.envs.rollout import rollout

minigrid = pytest.importorskip("minigrid")


def test_the_observation_is_the_place_the_direction_and_the_ball() -> None:
    env = babyai().flat_env()
    obs, _ = env.reset(seed=0)
    room = env.unwrapped
    assert obs[:2].tolist() == list(room.agent_pos)
    assert np.flatnonzero(obs[2:6]).tolist() == [room.agent_dir]
    assert room.grid.get(*obs[6:].astype(int)).type == "ball"
    turned, *_ = env.step(1)
    assert np.flatnonzero(turned[2:6]).tolist() == [room.agent_dir] != np.flatnonzero(obs[2:6]).tolist()
    assert isinstance(env.action_space, gym.spaces.Discrete)


def test_the_bot_reaches_the_ball_of_every_room() -> None:
    for episode in rollout(babyai().flat_env, FollowBot, 10, seed=0):
        assert episode.terminated[-1]
        assert len(episode.rew) <= 16  # 5 or so; a bot that explores needs more


def test_the_true_reward_by_hand() -> None:
    flags = torch.tensor([False, True])
    assert ball_reached(torch.zeros(2, 8), torch.zeros(2, 1), torch.zeros(2, 8), flags).tolist() == [0.0, 1.0]


def test_data_and_scores() -> None:
    environment = make_environment("babyai", quick=True)
    environment.seed = 0
    data, demonstrations = environment.data(0, 0)
    assert demonstrations.n_episodes == 20
    assert demonstrations.terminated.sum() == 20
    assert environment.true_return(demonstrations) > 0.9 > environment.true_return(data)
