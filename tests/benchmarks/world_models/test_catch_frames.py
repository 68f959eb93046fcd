"""Catch as features of its frames: positions, controllers, the learned reward, and a tiny cell."""

import json
from pathlib import Path

import gymnasium as gym
import numpy as np
import torch
from benchmarks.world_models.catch_frames import (
    follow_ball,
    go_left,
    learn_reward,
    make_catch,
    read_positions,
)
from benchmarks.world_models.cells import Budget, Cell, run_cells
from benchmarks.world_models.controllers import NoisyController
from tianshou.data import Batch

from rlpriors.data import Episode, EpisodeStore


def test_controllers_read_positions_from_features() -> None:
    env = make_catch()
    obs = np.array([env.reset(options={"column": column})[0] for column in (0, 2, 4)])
    np.testing.assert_allclose(read_positions(obs), [[0, 0, 2], [2, 0, 2], [4, 0, 2]], atol=0.1)
    np.testing.assert_allclose(follow_ball(obs), [[-2], [0], [2]], atol=0.2)
    np.testing.assert_allclose(follow_ball(obs, to_right=False), [[-2], [0], [0]], atol=0.2)
    np.testing.assert_array_equal(follow_ball(obs, first_row=1), np.zeros((3, 1)))
    np.testing.assert_array_equal(go_left(obs), np.full((3, 1), -1.0))
    below, *_ = env.step(0)  # the ball is in column 4 and row 1, the paddle in column 1
    np.testing.assert_allclose(read_positions(below[None]), [[4, 1, 1]], atol=0.1)
    np.testing.assert_allclose(follow_ball(below[None], first_row=1), [[3]], atol=0.2)


def test_actions_of_a_discrete_space_have_equal_widths() -> None:
    outputs = np.array([[-2.0], [-0.6], [-0.4], [0.0], [0.4], [0.6], [2.0]])
    for n, expected in ((2, [0, 0, 0, 0, 1, 1, 1]), (3, [0, 0, 1, 1, 1, 2, 2])):
        policy = NoisyController(gym.spaces.Discrete(n), lambda obs: obs)
        assert policy(Batch(obs=outputs, info={})).act.tolist() == expected
        random = NoisyController(gym.spaces.Discrete(n), lambda obs: obs, noise=1.0)
        assert set(random(Batch(obs=np.zeros((99, 1)), info={})).act) == set(range(n))


def test_learned_reward_is_that_of_the_next_observation() -> None:
    rng = np.random.default_rng(0)
    obs = rng.choice([-1.0, 1.0], (501, 2))
    rewards = (obs[1:].prod(1) > 0).astype(np.float32)  # 1 where both entries are equal: not linear
    walk = Episode(obs, np.zeros(500, np.int64), rewards, *np.zeros((2, 500), np.bool_))
    reward = learn_reward(EpisodeStore.from_episodes([walk], action_space=gym.spaces.Discrete(2)))
    other, after = torch.zeros(4, 2), torch.tensor([[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]])
    values = reward(other, torch.zeros(4, 1), after, torch.zeros(4, dtype=torch.bool))
    np.testing.assert_allclose(values, [1, 0, 0, 1], atol=0.1)


def test_a_tiny_cell(tmp_path: Path) -> None:
    cell = Cell("catch-frames", "expert", 0, Budget(n_steps=60, updates=4, n_episodes=2))
    run_cells([cell], tmp_path)
    rows = json.loads((tmp_path / cell.file).read_text())["rows"]
    found = {(method, metric): value for method, metric, value in rows}
    assert found["return:real", "noise 0"] == 1.0  # each ball is caught
    assert found["return:real", "left"] <= 0.0
    assert len([names for names in found if names[0] == "return:model"]) == 12
    assert -1 <= found["model", "spearman"] <= 1
    assert -1 <= found["action-mse", "spearman"] <= 1
