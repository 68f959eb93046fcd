"""`rlpriors train-policy --offline`: recorded data and a reward become a policy, without an environment."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from bandits import arms
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.agents import load_policy
from rlpriors.checkpoint import load_resume
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.random_data import collect_random
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.main import main
from rlpriors.scripts.train_policy.run import train_policy
from rlpriors.scripts.train_policy.settings import TrainPolicySettings


def make() -> gym.Env:
    return gym.make("Pendulum-v1", max_episode_steps=6)


@pytest.fixture
def data(tmp_path: Path) -> EpisodeStore:
    store = collect_random(make, 60, seed=0)
    store.save(tmp_path / "data.safetensors")
    return store


@pytest.fixture
def tiny(tmp_path: Path, data: EpisodeStore) -> TrainPolicySettings:
    return TrainPolicySettings(
        offline=True,
        data=str(tmp_path / "data.safetensors"),
        env="Pendulum-v1",
        updates=6,
        checkpoint_every=3,
        batch_size=8,
        hidden=(8,),
        max_episode_steps=6,
        n_episodes=3,
        device="cpu",
    )


@pytest.mark.parametrize("algorithm", ["auto", "td3-bc", "cql", "bc"])
def test_a_run_leaves_its_policy_and_numbers(
    tiny: TrainPolicySettings, data: EpisodeStore, tmp_path: Path, algorithm: str
) -> None:
    reward = MLPReward(RewardSettings(obs_dim=3, act_dim=1))
    settings = replace(tiny, algorithm=algorithm, reward=reward.save(tmp_path / "reward"))
    run = train_policy(settings, folder=tmp_path / "run")
    results = json.loads((run / "results.json").read_text())
    assert results["algorithm"] == ("iql" if algorithm == "auto" else algorithm)
    assert results["trained"]["steps"] == 6
    assert results["data"]["true_return"] == pytest.approx(data.rew.sum() / data.n_episodes, rel=1e-5)
    labeled = data.relabel(reward.eval()).rew
    assert results["data"]["learned_return"] == pytest.approx(labeled.sum() / data.n_episodes, rel=1e-4)
    assert load_resume(run / "policy.resume.pt")["modules"]["updates"] == 6
    env = make()
    policy = load_policy(run / "policy", env.observation_space, env.action_space, device="cpu")
    assert policy.action_space == env.action_space
    events = EventAccumulator(str(run / "tensorboard/policy")).Reload()
    assert any(tag.startswith("update/") for tag in events.Tags()["scalars"])


def test_a_run_without_an_environment_is_resumed(tiny: TrainPolicySettings, tmp_path: Path) -> None:
    settings = replace(tiny, env="")
    run = train_policy(settings, folder=tmp_path / "run")
    assert "trained" not in json.loads((run / "results.json").read_text())
    before = (run / "policy/model.safetensors").read_bytes()
    assert train_policy(settings, folder=tmp_path / "run", resume=True) == run
    assert (run / "policy/model.safetensors").read_bytes() == before


def test_the_command_learns_discrete_actions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, run = arms(40, seed=0).save(tmp_path / "arms.safetensors"), tmp_path / "run"
    words = f"train-policy --offline --data {file} --updates 40 --hidden 8 --device cpu --folder {run}"
    monkeypatch.setattr(sys, "argv", ["rlpriors", *words.split()])
    main()
    results = json.loads((run / "results.json").read_text())
    assert results["data"]["true_return"] == pytest.approx(0.2)
    assert results["updates"] == 40


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data": None}, "`data` must be given with --offline"),
        ({"algorithm": "sac"}, r"`algorithm` must be one of .* with --offline. Received 'sac'"),
        ({"offline": False}, "`data` is for training on recorded data"),
        ({"offline": False, "data": None, "algorithm": "iql"}, "learns from recorded data"),
        ({"offline": False, "data": None}, "`reward` must be given"),
        ({"offline": False, "data": None, "env": ""}, "`env` must be given"),
        ({"updates": 7}, "`updates` must be a multiple of the 3 updates"),
        ({"updates": 0}, "`updates` must be at least 1"),
        ({"use_env_reward": True}, "leave out --reward to train on the rewards of the data"),
    ],
)
def test_settings_are_checked(tiny: TrainPolicySettings, changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        replace(tiny, **changes)


def test_what_does_not_fit_is_refused_before_a_run_begins(
    tiny: TrainPolicySettings, data: EpisodeStore, tmp_path: Path
) -> None:
    unknown = replace(data, action_space=None).save(tmp_path / "unknown.safetensors")
    for changes, message in (
        ({"data": str(tmp_path / "none.npz")}, "--data: There is no file"),
        ({"data": str(unknown), "env": ""}, "add --env, or save the data"),
        ({"env": "CartPole-v1"}, "--data: .*must have"),
    ):
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            train_policy(replace(tiny, **changes), folder=tmp_path / "run")
    folder = MLPReward(RewardSettings(obs_dim=4, act_dim=1)).save(tmp_path / "wide")
    with pytest.raises(ValueError, match="4"):
        train_policy(replace(tiny, reward=folder), folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_help_teaches(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["rlpriors", "train-policy", "--help"])
    with pytest.raises(SystemExit):
        main()
    output = capsys.readouterr().out
    assert all(word in output for word in ("--offline", "--data", "--expectile", "td3-bc", "--updates"))


def test_equal_seeds_give_equal_policies(tiny: TrainPolicySettings, tmp_path: Path) -> None:
    weights = [
        (train_policy(tiny, folder=tmp_path / name) / "policy/model.safetensors").read_bytes()
        for name in ("first", "second")
    ]
    other = train_policy(replace(tiny, seed=1), folder=tmp_path / "third")
    assert weights[0] == weights[1]
    assert weights[0] != (other / "policy/model.safetensors").read_bytes()
    assert np.isfinite(json.loads((other / "results.json").read_text())["trained"]["true_return"])


def test_data_without_rewards_are_refused_and_can_be_cloned(
    tiny: TrainPolicySettings, data: EpisodeStore, tmp_path: Path
) -> None:
    replace(data, rew=np.zeros_like(data.rew)).save(tmp_path / "zeros.safetensors")
    settings = replace(tiny, data=str(tmp_path / "zeros.safetensors"), env="")
    with pytest.raises(ValueError, match="must hold rewards without --reward"):
        train_policy(settings, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    assert train_policy(replace(settings, algorithm="bc"), folder=tmp_path / "run").exists()
