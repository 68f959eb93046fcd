"""`rlpriors train-policy`: from a saved reward to a saved policy."""

import json
import sys
from dataclasses import replace

import gymnasium as gym
import numpy as np
import pytest

from rlpriors.agents import load_policy
from rlpriors.checkpoint import CheckpointError
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.acting import act
from rlpriors.scripts.main import main
from rlpriors.scripts.train_policy import make_world, train_policy
from rlpriors.scripts.train_policy_settings import TrainPolicySettings


@pytest.fixture
def tiny(tmp_path):
    """A reward for Pendulum that knows nothing, and a run of seconds."""
    folder = MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save(tmp_path / "reward")
    return TrainPolicySettings(
        folder,
        "Pendulum-v1",
        env_steps=48,
        n_envs=2,
        random_steps=16,
        update_per_step=0.5,
        batch_size=8,
        hidden=(8,),
        max_episode_steps=6,
        episodes=3,
        checkpoint_every=16,
        device="cpu",
    )


@pytest.mark.parametrize("algorithm", ["auto", "td3", "ppo"])
def test_a_run_leaves_its_policy_and_numbers(tiny, tmp_path, algorithm, capsys):
    run = train_policy(replace(tiny, algorithm=algorithm), folder=tmp_path / "run")
    results = json.loads((run / "results.json").read_text())
    assert results["algorithm"] == ("sac" if algorithm == "auto" else algorithm)
    assert results["env_steps"] == 48
    assert results["trained"]["steps"] == 6
    assert results["trained"]["true_return"] < 0  # Pendulum pays at most 0
    assert "learned return" in capsys.readouterr().out
    env = gym.make("Pendulum-v1", max_episode_steps=6)
    policy = load_policy(run / "policy", env.observation_space, env.action_space, device="cpu")
    episodes = act(policy, lambda: gym.make("Pendulum-v1", max_episode_steps=6), 3)
    assert np.abs(episodes.act).max() <= 2


def test_a_run_is_resumed_with_the_settings_it_began_with(tiny, tmp_path):
    run = train_policy(tiny, folder=tmp_path / "run")
    before = (run / "policy/model.safetensors").read_bytes()
    assert train_policy(tiny, folder=tmp_path / "run", resume=True) == run
    assert (run / "policy/model.safetensors").read_bytes() == before
    with pytest.raises(ValueError, match=r"lr 0\.001"):
        train_policy(replace(tiny, lr=0.1), folder=tmp_path / "run", resume=True)


def test_the_environments_own_reward_can_be_learned_from(tiny, tmp_path):
    run = train_policy(replace(tiny, own_reward=True, algorithm="td3"), folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["trained"]["true_return"] < 0


def test_one_environment_alone_takes_several_steps_for_an_update(tiny, tmp_path):
    changes = {"n_envs": 1, "env_steps": 30, "update_per_step": 0.25}
    run = train_policy(replace(tiny, **changes), folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["env_steps"] == 32  # 16 random, then fours


def test_discrete_actions_get_dqn(tmp_path, tiny):
    folder = MLPReward(RewardSettings(obs_dim=4, act_dim=1, n_actions=2)).save(tmp_path / "cart")
    settings = replace(tiny, reward=folder, env="CartPole-v1")
    run = train_policy(settings, folder=tmp_path / "run")
    assert json.loads((run / "results.json").read_text())["algorithm"] == "dqn"


def test_a_world_is_changed_as_told(tiny):
    settings = replace(
        tiny,
        env="PointMaze_UMaze-v3",
        start_cells=((1, 1),),
        goal_cells=((3, 1),),
        blocked_cells=((3, 3),),
        mass=2.0,
        env_args='{"maze_map": [[1,1,1,1,1],[1,0,0,0,1],[1,0,1,0,1],[1,0,0,0,1],[1,1,1,1,1]]}',
    )
    env = make_world(settings, ("observation",))
    assert env.observation_space.shape == (4,)
    assert env.unwrapped.maze.maze_map[3] == [1, 0, 0, 1, 1]
    obs, _ = env.reset(seed=0)
    assert np.abs(obs[:2] - [-1, 1]).max() < 0.5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"env": "NoSuch-v0"}, "`env` must be the id of an installed environment. Received 'NoSuch-v0'"),
        ({"env": "CartPole-v1"}, "numbers"),
        ({"blocked_cells": ((1, 1),)}, "`blocked_cells` are for mazes"),
        ({"mass": 2.0}, "`env` must be a MuJoCo environment"),
        ({"env_args": '{"colour": 1}'}, "does not take these `env_args`"),
        ({"algorithm": "dqn"}, "`action_space` must be Discrete for 'dqn'"),
    ],
)
def test_what_does_not_fit_is_told_before_any_run_begins(tiny, tmp_path, changes, message):
    with pytest.raises(ValueError, match=message):
        train_policy(replace(tiny, **changes), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"episodes": 0}, "`episodes` must be at least 1"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"env_args": "{"}, "`env_args` must be JSON"),
        ({"env_args": "[1]"}, "`env_args` must be a JSON object"),
        ({"max_episode_steps": 0}, "`max_episode_steps` must be at least 1"),
        ({"update_per_step": 0.01}, r"`update_per_step` must give .* for 48 steps; raise --update-per-step"),
        ({"update_per_step": float("nan")}, "`update_per_step` must give at least one update"),
    ],
)
def test_settings_are_bounded(tiny, changes, message):
    with pytest.raises(ValueError, match=message):
        replace(tiny, **changes)


def test_a_folder_without_a_reward_is_told(tiny, tmp_path):
    with pytest.raises(CheckpointError, match="is not a checkpoint"):
        train_policy(replace(tiny, reward=tmp_path / "nothing"))


def test_the_command_tells_errors_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(
        sys, "argv", ["rlpriors", "train-policy", "--reward", str(tmp_path), "--env", "Pendulum-v1"]
    )
    with pytest.raises(SystemExit, match=r"rlpriors: .*is not a checkpoint"):
        main()


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rlpriors", "train-policy", "--help"])
    with pytest.raises(SystemExit):
        main()
    told = capsys.readouterr().out
    assert all(
        word in told for word in ("--reward", "--start-cells", "--mass", "--own-reward", "never shown")
    )
