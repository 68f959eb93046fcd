"""`rlpriors learn-reward` at a tiny size: the reward, the report, and runs that are killed and resumed."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from puck_env import Puck, push
from rocket_env import Rocket, fly, record

from rlpriors.agents import load_prior
from rlpriors.rewards import load_reward
from rlpriors.scripts.main import main
from rlpriors.wrappers import LearnedReward

TINY = (
    *("--collect", "random:400", "--device", "cpu", "--prior-updates", "20", "--reward-updates", "20"),
    *("--agreement-updates", "10", "--checkpoint-every", "10"),
)
ENVS = {"rocket": ("rocket_env:Rocket-v0", Rocket, fly), "puck": ("puck_env:Puck-v0", Puck, push)}

# The command kills itself before an update, the second one after a checkpoint of the stage.
KILLED = """
import os, signal
from rlpriors.agents import {algorithm}
update = {algorithm}._update_with_batch
seen = []
def update_or_die(self, batch):
    seen.append(self.updates)
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
        code = f"import sys; sys.path[:] = {paths!r}" + KILLED.format(algorithm=algorithm, after=after)
        arguments = ["learn-reward", *args, "--folder", str(run), *resume]
        died = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True)
        assert died.returncode == -signal.SIGKILL, died.stderr
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
        (("--env", "nope:Nope-v0"), "`env` must be the id of an installed environment"),
        (("--obs-keys", "speed"), "--demos: .*`keys` must be None unless the observation is a Dict"),
        (("--data", "{folder}/puck.npz"), "--data: "),
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
