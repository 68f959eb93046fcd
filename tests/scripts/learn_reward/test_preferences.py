"""`rlpriors learn-reward --from preferences`: reward, report, images, killed and resumed runs, errors."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.own_data.demonstrations import record
from homing_pairs import true_preferences
from puck_env import Puck, push
from spot_env import Spot

from rlpriors.data.readers.load import load_episodes
from rlpriors.rewards import load_reward
from rlpriors.scripts.main import main
from rlpriors.wrappers import LearnedReward

TINY = ("--device", "cpu", "--reward-updates", "40", "--checkpoint-every", "10")
PUCK = "puck_env:Puck-v0"

KILLED = """
import os, signal
from rlpriors.agents import PreferenceLearning
update = PreferenceLearning._update_with_batch
seen = []
def update_or_die(self, batch):
    seen.append(batch)
    if len(seen) == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
    return update(self, batch)
PreferenceLearning._update_with_batch = update_or_die
from rlpriors.scripts.main import main
main()
"""


@pytest.fixture(scope="module")
def labeled(tmp_path_factory) -> tuple[str, ...]:
    """Flags of labeled episodes of a puck, of a policy that is sometimes random."""
    folder = tmp_path_factory.mktemp("labeled")
    rng = np.random.default_rng(0)
    env = Puck()
    record(
        folder / "data.npz", env, lambda obs: push(obs) if rng.random() < 0.3 else rng.uniform(-2, 2, 2), 8
    )
    data = load_episodes(
        folder / "data.npz", observation_space=env.observation_space, action_space=env.action_space
    )
    # The files hold no rewards: the first entry of the position is the labeler's taste.
    rated = data.relabel(lambda obs, act, obs_next, end: obs[:, 0])
    true_preferences(rated, 120, 10, undecided=0.05).save(folder / "labels.jsonl")
    data_flags = ("--data", str(folder / "data.npz"), "--labels", str(folder / "labels.jsonl"))
    return ("--from", "preferences", "--env", PUCK, *data_flags, *TINY)


def command(monkeypatch, capsys, *args: str) -> str:
    monkeypatch.setattr(sys, "argv", ["rlpriors", "learn-reward", *args])
    main()
    return capsys.readouterr().out


def refused(monkeypatch, capsys, *args: str) -> str:
    """Return the message of a command that is refused, on one line."""
    with pytest.raises(SystemExit) as error:
        command(monkeypatch, capsys, *args)
    printed = capsys.readouterr()
    return " ".join(f"{error.value} {printed.out} {printed.err}".replace("\u2502", " ").split())


def test_a_run_leaves_a_reward_and_a_report(labeled, tmp_path, monkeypatch, capsys) -> None:
    run = tmp_path / "run"
    printed = command(monkeypatch, capsys, *labeled, "--folder", str(run))
    assert "Labels: 96 to learn from and 24 held out for the evaluation" in printed
    assert f"rlpriors train-policy --reward {run / 'reward'} --env {PUCK}" in printed
    assert printed.splitlines()[-1] == str(run)
    results = json.loads((run / "results.json").read_text())
    assert results["verdict"] in ("good", "doubtful", "bad")
    assert results["accuracy"] > 0.7
    assert {"labels", "undecided", "sides", "accuracy", "chance", "rise", "members"} == set(results["levels"])
    assert [name for name in results if name.startswith("accuracy/")] == [
        "accuracy/24", "accuracy/48", "accuracy/96",
    ]  # fmt: skip
    assert results["input_use/position[0]"] > 0.5
    report = (run / "report.md").read_text()
    assert "| accuracy |" in report
    assert "](figures/learning_curve.png)" in report
    assert "labels.jsonl" in (run / "reward/README.md").read_text()
    reward = load_reward(run / "reward", "cpu")
    assert reward.obs_keys == ("position", "velocity", "wind")
    rewarded = LearnedReward(Puck(), str(run / "reward"), device="cpu")
    rewarded.reset(seed=0)
    assert np.isfinite(rewarded.step(np.zeros(2, np.float32))[1])
    before = (run / "reward/model.safetensors").read_bytes()
    command(monkeypatch, capsys, *labeled, "--folder", str(run), "--resume")  # a finished run
    assert (run / "reward/model.safetensors").read_bytes() == before


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_killed_and_resumed_equals_undisturbed(labeled, tmp_path, monkeypatch, capsys) -> None:
    command(monkeypatch, capsys, *labeled, "--folder", str(tmp_path / "whole"))
    code = f"import sys; sys.path[:] = {[str(Path(__file__).parents[2] / 'toys'), *sys.path]!r}"
    code += KILLED.format(after=95)  # in the last of three trainings of 40 updates
    run = tmp_path / "run"
    args = ["learn-reward", *labeled, "--folder", str(run)]
    died = subprocess.run([sys.executable, "-c", code, *args], capture_output=True, text=True)
    assert died.returncode == -signal.SIGKILL, died.stderr
    assert not (run / "reward").exists()
    command(monkeypatch, capsys, *labeled, "--folder", str(run), "--resume")
    ours, theirs = ((tmp_path / name / "reward/model.safetensors").read_bytes() for name in ("whole", "run"))
    assert ours == theirs


def test_labels_of_images_are_carried_over_to_their_features(tmp_path, monkeypatch, capsys) -> None:
    env = Spot("image")
    rng = np.random.default_rng(0)
    record(tmp_path / "data.npz", env, lambda obs: int(rng.integers(3)), 6)
    data = load_episodes(
        tmp_path / "data.npz", observation_space=env.observation_space, action_space=env.action_space
    )
    assert data.obs.dtype == np.uint8
    rated = data.relabel(lambda obs, act, obs_next, end: obs[:, 18, :, 0].argmax(1).float())
    true_preferences(rated, 60, 3).save(tmp_path / "labels.jsonl")
    paths = ("--data", str(tmp_path / "data.npz"), "--labels", str(tmp_path / "labels.jsonl"))
    encoder = ("--encoder", "nature-cnn", "--weights", "none", "--input-size", "36", "36")
    run = tmp_path / "run"
    args = ("--from", "preferences", "--env", "spot_env:Spot-v0", *paths, *TINY, *encoder)
    command(monkeypatch, capsys, *args, "--agreement-updates", "0", "--folder", str(run))
    reward = load_reward(run / "reward", "cpu")
    assert reward.obs_encoder is not None
    assert reward.obs_dim == 512
    assert json.loads((run / "results.json").read_text())["accuracy"] > 0.6


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("--labels", "none.jsonl"), "none.jsonl"),
        (("--demos", "demos.npz"), "`demos` is not used to learn from preferences"),
        (("--policy-steps", "100"), "leave out --policy-steps"),
        (("--obs-keys", "position"), "--labels: The labels belong to the data set"),
        (("--obs-index", "7"), "--obs-index must hold entries between 0 and 4"),
    ],
)
def test_errors(change, message, labeled, tmp_path, monkeypatch, capsys) -> None:
    assert message in refused(monkeypatch, capsys, *labeled, *change, "--folder", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_each_source_needs_its_files(monkeypatch, capsys) -> None:
    for args, flag in (((), "--demos"), (("--from", "preferences"), "--labels")):
        assert f"add {flag}" in refused(monkeypatch, capsys, "--env", PUCK, *args)
    both = ("--demos", "a.npz", "--labels", "b.jsonl")
    assert "not used to learn from demonstrations" in refused(monkeypatch, capsys, "--env", PUCK, *both)
