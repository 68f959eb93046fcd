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


def test_pixels_through_a_frozen_encoder(tmp_path, monkeypatch, capsys) -> None:
    """Goals and rewards of image features; skills and rewards refuse another encoder, and none."""
    run = tmp_path / "run"
    encoder = ("--encoder", "nature-cnn", "--weights", "none", "--input-size", "36", "36")
    tasks = ("--env", "spot_env:SpotDict-v0", "--collect", "random:60", "--device", "cpu")
    tasks = (*tasks, "--n-goals", "2", "--n-episodes", "1")
    small = ("--dim", "4", "--hidden", "8", "--updates", "4", "--checkpoint-every", "2")
    command(monkeypatch, "zero-shot", *tasks, *encoder, *small, "--folder", str(run))
    policy = load_skills(run / "skills", device="cpu")
    assert policy.obs_keys == ("camera", "place")
    assert policy.obs.dim == 512 + 1
    assert policy.obs_encoder is not None
    assert policy.obs_encoder.options["encoder"] == "nature-cnn"
    assert "images are features of the encoder `nature-cnn`" in (run / "skills/README.md").read_text()
    data = EpisodeStore.load(run / "data.safetensors")
    assert data.obs.shape[1:] == (513,)

    settings = RewardSettings(obs_dim=513, act_dim=1, n_actions=3, obs_keys=policy.obs_keys)
    reward = MLPReward(settings)
    reward.record_encoder(policy.obs_encoder)
    saved = reward.save(tmp_path / "reward")
    follow = ("zero-shot", *tasks, "--skills", str(run / "skills"), "--folder", str(tmp_path / "again"))
    command(monkeypatch, *follow, *encoder, "--reward", str(saved))
    results = json.loads((tmp_path / "again/results.json").read_text())
    assert np.isfinite(results[f"reward:{saved}"]["learned_return"])
    other = (*encoder, "--seed", "7")  # other random weights
    with pytest.raises(SystemExit, match="`--skills` must receive features of the encoder"):
        command(monkeypatch, *follow, *other)
    with pytest.raises(SystemExit, match=r"`--reward`.* must receive features of the encoder"):
        command(monkeypatch, *follow, "--reward", str(saved))
    images = ("zero-shot", "--env", "spot_env:Spot-v0", *tasks[2:], *small)
    with pytest.raises(SystemExit, match="encode images once"):
        command(monkeypatch, *images, "--folder", str(tmp_path / "images"))


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
