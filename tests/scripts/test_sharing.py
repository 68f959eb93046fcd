"""Commands from end to end with the hub: what they make has a card, is pushed, and is used by its name."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from benchmarks.own_data.demonstrations import record
from hub_server import HubServer, use_hub
from rocket_env import Rocket, fly

from rlpriors.data.fingerprints import store_fingerprint
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.readers.load import load_episodes
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.scripts.main import main
from rlpriors.sharing.provenance import read_provenance
from rlpriors.storage.module_files import read_config

ROCKET = "rocket_env:Rocket-v0"
TINY = (
    *("--collect", "random:400", "--device", "cpu", "--prior-updates", "10", "--reward-updates", "10"),
    *("--agreement-updates", "0", "--checkpoint-every", "10", "--policy-steps", "0"),
)


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[HubServer]:
    monkeypatch.chdir(tmp_path)
    with HubServer() as server:
        use_hub(monkeypatch, server.url, tmp_path / "cache")
        yield server


@pytest.fixture
def rlpriors(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run a command and return its output."""

    def run(*words: str) -> str:
        monkeypatch.setattr(sys, "argv", ["rlpriors", *words])
        main()
        return capsys.readouterr().out

    return run


@pytest.mark.slow
@pytest.mark.timeout(400)  # three commands that train
def test_a_learned_reward_is_shared_and_used_by_its_name(rlpriors, hub: HubServer, tmp_path: Path) -> None:
    demos = tmp_path / "demos.npz"
    record(demos, Rocket(), fly, 6)
    args = ("--env", ROCKET, "--demos", str(demos), *TINY)
    rlpriors("learn-reward", *args, "--folder", "run")

    origin = read_provenance(read_config(Path("run/reward")))
    assert origin.env == ROCKET
    fingerprint = store_fingerprint(load_episodes(str(demos), action_space=Rocket.action_space))
    assert origin.data["demonstrations"] == f"`demos.npz`, 6 episodes, 600 steps, fingerprint `{fingerprint}`"
    assert origin.data["data"].startswith("`random:400`, ")
    assert origin.metrics["verdict"] in ("good", "doubtful", "bad")
    assert re.fullmatch(r"EPIC|0\.\d\d \[.*\] \((good|doubtful|bad)\)", str(origin.metrics["accuracy"]))
    prior = read_provenance(read_config(Path("run/prior")))
    assert (set(prior.metrics), set(prior.data)) == ({"coverage"}, {"data"})
    assert shlex.split(str(origin.command))[:6] == [
        *("rlpriors", "learn-reward", "--env", ROCKET, "--collect", "random:400")
    ]

    card = rlpriors("card", "run/reward")
    assert card.rstrip() == Path("run/reward/README.md").read_text().rstrip()
    names: dict[str, object] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir("run/reward")
        for code in re.findall(r"```python\n(.*?)\n```", card, re.DOTALL):
            exec(code, names)
    assert "LearnedReward" in str(names["env"])

    assert f"{hub.url}/alice/rocket\n" in rlpriors("push", "run/reward", "alice/rocket")
    rlpriors("push", "run/prior", "alice/rocket-prior", "--private", "--message", "First try")
    assert hub.repositories["alice/rocket-prior"].messages == ["First try"]
    assert 'load_reward("hf:alice/rocket")' in rlpriors("card", "hf:alice/rocket")

    plan = ("plan", "--env", ROCKET, "--n-episodes", "2", "--n-candidates", "2", "--n-steps", "2")
    shared = ("--prior", "hf:alice/rocket-prior", "--reward", "hf:alice/rocket")
    returns = rlpriors(*plan, *shared, "--device", "cpu", "--folder", "plan-hub").splitlines()[:2]
    local = ("--prior", "run/prior", "--reward", "run/reward")
    assert rlpriors(*plan, *local, "--device", "cpu", "--folder", "plan").splitlines()[:2] == returns
    args = ("--env", ROCKET, "--device", "cpu", "--env-steps", "64", "--random-steps", "16", "--n-envs", "2")
    rlpriors(
        *("train-policy", "--reward", "hf:alice/rocket", *args, "--n-episodes", "2", "--normalize"),
        *("--hidden", "8", "--checkpoint-every", "32", "--films", "0", "--folder", "policy"),
    )
    origin = read_provenance(read_config(Path("policy/reward")))
    assert origin.env == ROCKET
    assert "--reward hf:alice/rocket" in str(origin.command)
    assert {"true_return", "learned_return"} <= set(origin.metrics)


def test_an_encoder_is_shared_and_used_by_its_name(rlpriors, hub: HubServer) -> None:
    with FrameWriter("frames") as writer:
        for seed in range(3):
            frames = np.random.default_rng(seed).integers(0, 256, (9, 16, 16, 3), np.uint8)
            writer.add_episode(frames, act=np.arange(9) % 3)
    args = ("--data", "frames", "--batch-size", "4", "--updates", "2", "--checkpoint-every", "2")
    small = ("--collapse-sample-size", "8", "--device", "cpu")
    vit = ("--encoder", "vit-nano", "--input-size", "16", "16", "--readout", "mean")
    rlpriors("pretrain", "--method", "mae", *args, *small, *vit, "--folder", "run")
    origin = read_provenance(read_config(Path("run/encoder")))
    assert origin.env is None
    assert origin.data["frames 1"].startswith("`frames`, 27 frames of 16x16x3, fingerprint `")
    assert origin.metrics["updates"] == 2
    rlpriors("push", "run/encoder", "alice/encoder")
    code = re.findall(r"```python\n(.*?)\n```", rlpriors("card", "hf:alice/encoder"), re.DOTALL)[0]
    names: dict[str, object] = {}
    exec(code, names)
    again = ("--encoder", "hf:alice/encoder")
    rlpriors("pretrain", "--method", "mae", *args, *small, *again, "--folder", "again")
    assert "| encoder | `vit-nano`" in rlpriors("card", "again/encoder")


def test_a_card_does_not_control_the_terminal(rlpriors, hub: HubServer) -> None:
    MLPReward(RewardSettings(obs_dim=3, act_dim=1)).save("reward")
    Path("reward/README.md").write_text("a\x1b[2J\x07\tb\ré\n")
    assert rlpriors("card", "reward") == "a[2J\tb\né\n\n"


def test_mistakes_are_one_line(rlpriors, hub: HubServer) -> None:
    for words, message in (
        (("card", "nothing"), "nothing is not a checkpoint"),
        (("card", "--write", "hf:alice/x"), "must be a local folder for --write"),
        (("push", "nothing", "alice/x"), "nothing is not a checkpoint"),
        (("push", "nothing", "x"), "`repository` must be '<owner>/<name>'"),
        (("card", "hf:alice/x"), "does not exist, or is private"),
    ):
        with pytest.raises(SystemExit, match=re.escape(message)) as raised:
            rlpriors(*words)
        assert str(raised.value).startswith("rlpriors: ")
        assert "\n" not in str(raised.value)
