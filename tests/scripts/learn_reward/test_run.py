"""`rlpriors learn-reward` at a tiny size: the reward, the report, and runs that are killed and resumed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from benchmarks.own_data.demonstrations import record
from puck_env import Puck, push
from rocket_env import Rocket, fly
from run_page import expected_rows, results_on_page

from rlpriors.agents import load_policy, load_prior
from rlpriors.data.episodes import EpisodeStore
from rlpriors.rewards import load_reward
from rlpriors.scripts.main import main
from rlpriors.scripts.train_policy.run import train_policy
from rlpriors.scripts.train_policy.settings import TrainPolicySettings
from rlpriors.wrappers import LearnedReward
from rlpriors.wrappers.flat_observation import FlatObservation

TINY = (
    *("--collect", "random:400", "--device", "cpu", "--prior-updates", "20", "--reward-updates", "20"),
    *("--agreement-updates", "10", "--checkpoint-every", "10", "--policy-steps", "0"),
)
ENVS = {"rocket": ("rocket_env:Rocket-v0", Rocket, fly), "puck": ("puck_env:Puck-v0", Puck, push)}

# The command kills itself before an update, the second one after a checkpoint of the stage.
KILLED = """
import os, signal
from {module} import {algorithm}
update = {algorithm}._update_with_batch
seen = []
def update_or_die(self, batch):
    seen.append(batch)
    if len(seen) == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch)
{algorithm}._update_with_batch = update_or_die
from rlpriors.scripts.main import main
main()
"""


@pytest.fixture(scope="module")
def demos(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("demos")
    for name, (_, env, act) in ENVS.items():
        record(folder / f"{name}.npz", env(), act, 6)
    return folder


def command(monkeypatch, capsys, *args: str) -> str:
    monkeypatch.setattr(sys, "argv", ["rlpriors", "learn-reward", *args])
    main()
    return capsys.readouterr().out


@pytest.mark.parametrize("name", ENVS)
def test_a_run_leaves_a_reward_a_prior_and_a_report(name, demos, tmp_path, monkeypatch, capsys):
    env_id, env, act = ENVS[name]
    run = tmp_path / "run"
    args = ("--env", env_id, "--demos", str(demos / f"{name}.npz"), *TINY, "--folder", str(run))
    printed = command(monkeypatch, capsys, *args)
    assert "Demonstrations: 5 to learn from and 1 held out" in printed
    assert "(--horizon " in printed
    assert printed.splitlines()[-1] == str(run)
    assert f'    env = LearnedReward(make_env("{env_id}"), "{run / "reward"}")' in printed
    results = json.loads((run / "results.json").read_text())
    assert results["verdict"] in ("good", "doubtful", "bad")
    assert 0 <= results["accuracy"] <= 1
    assert results["input_use/action"] == 0
    assert results_on_page(run) == expected_rows(run)
    assert "## Choices" in (run / "report.md").read_text()
    rewarded = LearnedReward(env(), str(run / "reward"), device="cpu")
    obs, _ = rewarded.reset(seed=0)
    _, reward, _, _, info = rewarded.step(act(obs))
    assert reward != info["env_reward"]
    assert load_prior(run / "prior", action_space=env.action_space, device="cpu").layout.horizon > 1
    layout = load_reward(run / "reward", device="cpu").obs_layout
    assert (layout is None) == isinstance(env.observation_space, gym.spaces.Box)
    before = (run / "reward/model.safetensors").read_bytes()
    command(monkeypatch, capsys, *args, "--resume")  # a finished run
    assert (run / "reward/model.safetensors").read_bytes() == before


def test_episodes_that_terminate_get_absorbing_states(tmp_path, monkeypatch, capsys):
    env = gym.make("CartPole-v1", max_episode_steps=50)
    record(tmp_path / "demos.npz", env, lambda obs: int(obs[2] + 0.5 * obs[3] > 0), 5)
    args = (
        "--env",
        "CartPole-v1",
        "--max-episode-steps",
        "50",
        "--demos",
        str(tmp_path / "demos.npz"),
        *TINY,
    )
    run = tmp_path / "run"
    printed = command(monkeypatch, capsys, *args, "--reference", "random:300", "--folder", str(run))
    assert "Terminations: absorbing states" in printed
    assert "Negatives: random:300" in printed
    assert load_prior(run / "prior", device="cpu").layout.absorbing
    assert (run / "reference.safetensors").exists()
    assert 'make_env("CartPole-v1", max_episode_steps=50)' in printed


def test_no_demonstrated_step_has_a_reward_above_that_of_the_end(tmp_path, monkeypatch, capsys):
    record(tmp_path / "demos.npz", gym.make("CartPole-v1"), lambda obs: 1, 5)  # all fall
    run = tmp_path / "run"
    args = ("--env", "CartPole-v1", "--demos", str(tmp_path / "demos.npz"), *TINY, "--folder", str(run))
    command(monkeypatch, capsys, *args)
    shown = EpisodeStore.load(run / "demonstrations.safetensors")
    assert shown.terminated.sum() == shown.n_episodes
    assert shown.relabel(load_reward(run / "reward")).rew.max() <= 1e-5


def kill(paths: list[str], module: str, algorithm: str, after: int, arguments: list[str]) -> None:
    """Run the command until it kills itself in an update of an algorithm."""
    code = f"import sys; sys.path[:] = {paths!r}"
    code += KILLED.format(module=module, algorithm=algorithm, after=after)
    died = subprocess.run(
        [sys.executable, "-c", code, "learn-reward", *arguments], capture_output=True, text=True
    )
    assert died.returncode == -signal.SIGKILL, died.stderr


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_policy_is_trained_on_the_reward_at_the_end(demos, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    args = ("--env", "puck_env:Puck-v0", "--demos", str(demos / "puck.npz"), *TINY[:-1], "320")
    printed = command(monkeypatch, capsys, *args, "--folder", str(run))
    results = json.loads((run / "results.json").read_text())
    assert {"progress", "closeness", "rollouts", "drift"} <= set(results["levels"])
    assert results["policy_steps"] == 320
    assert results["trained"]["true_return"] < 0  # minus a distance
    assert "  closeness" in printed
    page = (run / "report.md").read_text()
    assert "| closeness |" in page
    assert "](figures/drift.png)" in page
    env = FlatObservation(Puck())
    assert load_policy(run / "policy", env.observation_space, env.action_space, device="cpu") is not None
    # `train-policy` finds the demonstrations next to the reward, and trains the same policy.
    other = tmp_path / "policy"
    settings = TrainPolicySettings(
        reward=run / "reward",
        env="puck_env:Puck-v0",
        env_steps=320,
        random_steps=80,
        n_episodes=30,
        device="cpu",
    )
    train_policy(settings, folder=other)
    assert "| closeness |" in (other / "report.md").read_text()
    assert json.loads((other / "results.json").read_text())["closeness"] == results["closeness"]
    for file in ("policy/model.safetensors", "policy/config.json"):
        assert (other / file).read_bytes() == (run / file).read_bytes()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_in_the_training_of_the_policy_and_resumed(demos, tmp_path, monkeypatch, capsys):
    run = tmp_path / "run"
    args = ["--env", "rocket_env:Rocket-v0", "--demos", str(demos / "rocket.npz"), *TINY[:-1], "640"]
    paths = [str(Path(__file__).parents[2] / "toys"), *sys.path]
    kill(paths, "tianshou.algorithm.modelfree.dqn", "DQN", 20, [*args, "--folder", str(run)])
    reward = (run / "reward/model.safetensors").read_bytes()
    assert not (run / "policy").exists()
    command(monkeypatch, capsys, *args, "--folder", str(run), "--resume")
    assert (run / "policy/model.safetensors").exists()
    assert (run / "reward/model.safetensors").read_bytes() == reward
    assert "drift" in json.loads((run / "results.json").read_text())["levels"]


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_at_each_stage_and_resumed_equals_undisturbed(demos, tmp_path, monkeypatch, capsys):
    args = ("--env", "rocket_env:Rocket-v0", "--demos", str(demos / "rocket.npz"), *TINY)
    command(monkeypatch, capsys, *args, "--folder", str(tmp_path / "whole"))
    run = tmp_path / "run"
    paths = [str(Path(__file__).parents[2] / "toys"), *sys.path]
    for algorithm, after, resume in (
        ("TrajectoryDiffusion", 15, ()),
        ("DiffusionIRL", 5, ("--resume",)),  # the first of the further rewards
        ("DiffusionIRL", 35, ("--resume",)),
    ):
        kill(paths, "rlpriors.agents", algorithm, after, [*args, "--folder", str(run), *resume])
    assert not (run / "reward").exists()
    command(monkeypatch, capsys, *args, "--folder", str(run), "--resume")
    for file in ("reward/model.safetensors", "prior/model.safetensors"):
        assert (run / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    whole, resumed = (json.loads((tmp_path / name / "results.json").read_text()) for name in ("whole", "run"))
    assert {**whole, "seconds": 0} == {**resumed, "seconds": 0}


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--demos", "none.npz"), "--demos: There is no file none.npz"),
        (("--env", "nope:Nope-v0"), "`--env` must be the id of an installed environment"),
        (("--obs-keys", "speed"), "--demos: .*`keys` must be None unless the observation is a Dict"),
        (("--data", "{folder}/puck.npz"), "--data: "),
        (("--horizon", "500"), "`--horizon` 500 with `stride` 1 must fit into a demonstration"),
    ],
)
def test_an_error_names_the_flag(args, message, demos, tmp_path, monkeypatch, capsys):
    given = {"--env": "rocket_env:Rocket-v0", "--demos": str(demos / "rocket.npz")}
    given |= {args[0]: args[1].format(folder=demos)}
    flat = [word for pair in given.items() for word in pair]
    with pytest.raises(SystemExit, match=f"rlpriors: {message}"):
        command(monkeypatch, capsys, *flat, *TINY, "--folder", str(tmp_path / "run"))


def test_other_demonstrations_are_not_resumed(demos, tmp_path, monkeypatch, capsys):
    args = ("--env", "rocket_env:Rocket-v0", "--demos", str(tmp_path / "mine.npz"), *TINY)
    args = (*args, "--agreement-updates", "0", "--folder", str(tmp_path / "run"))
    content = dict(np.load(demos / "rocket.npz"))
    np.savez(tmp_path / "mine.npz", **content)
    command(monkeypatch, capsys, *args)
    content["obs"] = content["obs"] + np.float32(0.01)
    np.savez(tmp_path / "mine.npz", **content)
    with pytest.raises(SystemExit, match=r"was started with demos .*the content has changed"):
        command(monkeypatch, capsys, *args, "--resume")
