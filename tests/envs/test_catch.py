"""Catch: hand-worked episodes, pictures and bounds."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from rlpriors.envs import make_env
from rlpriors.envs.catch import Catch


def test_a_ball_at_the_side_is_caught_and_missed() -> None:
    env = Catch(rows=4, columns=5, pixels=20)
    for actions, reward in (([0, 0, 1], 1.0), ([0, 1, 1], -1.0), ([2, 2, 2], -1.0)):
        env.reset(options={"column": 0})
        results = [env.step(action) for action in actions]
        assert [result[1] for result in results] == [0.0, 0.0, reward]
        assert [result[2] for result in results] == [False, False, True]
        assert results[-1][4]["is_success"] == (reward > 0)


def test_the_paddle_stops_at_the_walls() -> None:
    env = Catch(rows=6, columns=3, pixels=6)
    env.reset(options={"column": 2})
    for _ in range(5):
        *_, info = env.step(2)
    assert env.paddle == 2
    assert info["is_success"]


def test_pictures_show_ball_and_paddle() -> None:
    env = Catch(rows=2, columns=3, pixels=7)
    obs, _ = env.reset(options={"column": 2})
    expected = np.zeros((7, 7), np.uint8)
    expected[:4, 5:] = 255  # rows 0..3 of 7 are the first of two, columns 5 and 6 the last of three
    expected[4:, 3:5] = 255
    np.testing.assert_array_equal(obs[..., 0], expected)


def test_balls_start_in_all_columns() -> None:
    env = Catch(columns=4, pixels=12)
    columns = [
        env.reset(seed=seed if seed == 0 else None)[0] is not None and env.ball_column for seed in range(99)
    ]
    assert set(columns) == {0, 1, 2, 3}


def test_random_actions_catch_about_one_ball_in_five() -> None:
    env, caught = Catch(), []
    env.action_space.seed(0)
    env.reset(seed=0)
    for _ in range(400):
        env.reset()
        terminated = False
        while not terminated:
            *_, terminated, _, info = env.step(env.action_space.sample())
        caught.append(info["is_success"])
    assert 0.1 < np.mean(caught) < 0.3


def test_the_id_is_registered() -> None:
    env = make_env("Catch-v0", rows=5, columns=3, pixels=24)
    assert env.observation_space == gym.spaces.Box(0, 255, (24, 24, 1), np.uint8)
    check_env(make_env("Catch-v0", render_mode="rgb_array").unwrapped)
    assert make_env("Catch-v0", image_size=(84, 84)).observation_space.shape == (84, 84, 1)


def test_arguments_out_of_bounds() -> None:
    for options in ({"rows": 1}, {"columns": 1}, {"pixels": 9}, {"render_mode": "human"}):
        with pytest.raises(ValueError, match=f"`{next(iter(options))}` must be"):
            Catch(**options)  # type: ignore[arg-type]
    env = Catch()
    with pytest.raises(RuntimeError, match="started by `reset`"):
        env.step(0)
    env.reset()
    with pytest.raises(ValueError, match="`action` must be"):
        env.step(3)
    with pytest.raises(ValueError, match="column"):
        env.reset(options={"column": 5})
