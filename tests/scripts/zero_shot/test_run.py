"""`rlpriors zero-shot` at a tiny size: learning, goals, rewards, resuming, a saved policy."""

import json
import sys

import numpy as np
import pytest

from rlpriors.agents import load_skills
from rlpriors.data.episodes import Episode, EpisodeStore
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.main import main
from rlpriors.scripts.zero_shot.evaluation import closest
from rlpriors.scripts.zero_shot.settings import ZeroShotRunSettings


def command(monkeypatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["rlpriors", *args])
    main()


KEYS = ("position", "velocity", "wind")


def test_goals_and_rewards_without_training_for_them(tmp_path, monkeypatch, capsys) -> None:
    reward = MLPReward(RewardSettings(obs_dim=5, act_dim=2, obs_keys=KEYS)).save(tmp_path / "reward")
    run = tmp_path / "run"
    tasks = ("--env", "puck_env:Puck-v0", "--collect", "random:800", "--device", "cpu", "--obs-keys", *KEYS)
    tasks = (*tasks, "--n-goals", "2", "--n-episodes", "2")
    small = ("--dim", "4", "--hidden", "16", "--updates", "20", "--checkpoint-every", "10")
    args = ("zero-shot", *tasks, *small, "--task-keys", "position", "--reward", str(reward))
    command(monkeypatch, *args, "--folder", str(run))
    lines = capsys.readouterr().out.splitlines()
    assert lines[-1] == str(run)
    results = json.loads((run / "results.json").read_text())
    assert 0 <= results["goal_success"] <= 1
    scores = results[f"reward:{reward}"]
    assert scores["true_return"] < 0
    assert scores["learned_return"] != scores["random_learned_return"]
    policy = load_skills(run / "skills", device="cpu")
    assert policy.goals.entries == (0, 1)
    assert policy.obs_keys == KEYS
    before = (run / "skills/model.safetensors").read_bytes()
    command(monkeypatch, *args, "--folder", str(run), "--resume")
    assert (run / "skills/model.safetensors").read_bytes() == before
    assert json.loads((run / "results.json").read_text()) == results

    again = ("zero-shot", *tasks, "--skills", str(run / "skills"), "--folder", str(tmp_path / "again"))
    command(monkeypatch, *again)
    assert not (tmp_path / "again/skills").exists()
    assert (
        json.loads((tmp_path / "again/results.json").read_text())["goal_success"] == results["goal_success"]
    )


def test_distances_are_those_of_the_tasks_entries(tmp_path, monkeypatch) -> None:
    run = tmp_path / "run"
    args = ("zero-shot", "--env", "puck_env:Puck-v0", "--collect", "random:200", "--device", "cpu")
    args = (*args, "--obs-keys", *KEYS, "--task-keys", "position", "--updates", "1", "--n-goals", "0")
    command(monkeypatch, *args, "--checkpoint-every", "1", "--hidden", "8", "--folder", str(run))
    policy = load_skills(run / "skills", device="cpu")
    scale = policy.obs.scale.numpy()
    end = np.array([False, True])
    rows = np.zeros((3, 5), np.float32)
    rows[1, :2] = 0.5 * scale[:2]
    rows[1, 4] = 9.0  # no entry of the task
    episode = EpisodeStore.from_episodes([Episode(rows, np.zeros((2, 2)), np.zeros(2), end & False, end)])
    assert closest(policy, episode, scale[:2]) == pytest.approx(0.5, rel=1e-4)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"updates": 30, "checkpoint_every": 20}, r"`updates` must be a multiple of `checkpoint_every`, 20"),
        ({"n_episodes": 0}, r"`n_episodes` must be at least 1\. Received 0"),
        ({"radius": 0.0}, r"`radius` must be greater than 0\. Received 0"),
    ],
)
def test_settings_are_checked(changes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ZeroShotRunSettings(env="Reacher-v5", **changes)
