"""`rlpriors pretrain`: an encoder that can be used, logs that tell, runs that go on after a kill."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import safetensors.torch
import torch
from dial_env import Dial
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.representation import RECIPES, RepresentationLearner
from rlpriors.representation.registry import find_recipe
from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.scripts.main import main
from rlpriors.scripts.pretrain.run import pretrain
from rlpriors.scripts.pretrain.settings import PretrainSettings
from rlpriors.wrappers import EncodeObservation, PixelObservation

SMALL: dict[str, Any] = {
    "method": "mae",
    "encoder": EncoderArgs("vit-nano", input_size=(16, 16)),
    "updates": 6,
    "batch_size": 8,
    "log_every": 1,
    "log_images_every": 3,
    "checkpoint_every": 2,
    "collapse_sample_size": 16,
    "device": "cpu",
}


@pytest.fixture
def dials(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spaces = {"Dial-v0": gym.spaces.Discrete(3, start=2), "DialBox-v0": gym.spaces.Box(-1, 1, (2, 2))}
    spaces["DialPair-v0"] = gym.spaces.MultiBinary(2)
    for name, space in spaces.items():
        gym.register(name, Dial, kwargs={"action_space": space})
    yield
    for name in spaces:
        del gym.registry[name]


@pytest.fixture
def frames(tmp_path) -> Path:
    return write_frames(tmp_path / "frames")


def write_frames(folder: Path, size: int = 16) -> Path:
    rng = np.random.default_rng(0)
    with FrameWriter(folder) as writer:
        for _ in range(4):
            coarse = rng.integers(0, 256, (12, size // 8, size // 8, 3), np.uint8)
            writer.add_episode(coarse.repeat(8, 1).repeat(8, 2), act=rng.integers(0, 3, 12))
    return folder


def weights(run: Path) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run / "encoder" / "model.safetensors")


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_from_an_environment_to_an_encoder_in_front_of_it(dials):
    encoder = EncoderArgs("vit-nano", input_size=(16, 16), readout="mean")
    changes = {"env_steps": 23, "image_size": (16, 24), "encoder": encoder}
    settings = PretrainSettings(**(SMALL | changes), env="Dial-v0")
    run = pretrain(settings)
    assert run == Path("runs/pretrain-mae-vit-nano-dial-v0-seed0")
    store = FrameStore.open(run / "frames")
    assert store.frames.shape[1:] == (16, 24, 3)
    pixels = PixelObservation(gym.make("Dial-v0", render_mode="rgb_array"), 20, 24)
    obs, _ = EncodeObservation(pixels, str(run / "encoder"), device="cpu").reset(seed=0)
    assert obs.shape == (128,)
    results = json.loads((run / "results.json").read_text())
    assert results["updates"] == 6
    assert {"loss", "patches", "rankme", "feature_std", "latent_std"} <= set(results)

    logs = str(run / "tensorboard" / "encoder")
    events = EventAccumulator(logs, size_guidance={"images": 0, "scalars": 0}).Reload()
    scalars = {tag: [event.step for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}
    every, pictures = list(range(1, 7)), [3, 6]
    assert scalars == {
        **dict.fromkeys(("encoder/loss", "speed/encoder_update_ms"), every),
        **dict.fromkeys(("encoder/lr", "encoder/grad_norm", "encoder/latent_std"), every),
        **dict.fromkeys(("diagnostics/rankme", "diagnostics/feature_std"), pictures),
    }
    names = ("view/context", "original", "masked", "reconstruction")
    images = {tag: [event.step for event in events.Images(tag)] for tag in events.Tags()["images"]}
    assert images == {f"pictures/{name}": pictures for name in names}
    overview = EventAccumulator(str(run / "tensorboard")).Reload().Tags()
    assert {"settings/text_summary", "results/text_summary", "custom_scalars__config__"} <= set(
        overview["tensors"]
    )
    assert set(overview["scalars"]) == {
        f"summary/{name}" for name in ("loss", "rankme", "feature_std", "windows_per_second")
    }


def test_a_run_that_is_killed_after_its_last_update_has_its_results(frames, tmp_path):
    settings = PretrainSettings(**SMALL, data=(frames,))
    run = pretrain(settings, folder=tmp_path / "run")
    whole = json.loads((run / "results.json").read_text())
    (run / "results.json").unlink()  # the kill came between the last checkpoint and the results
    pretrain(settings, folder=tmp_path / "run", resume=True)
    resumed = json.loads((run / "results.json").read_text())
    assert resumed == {name: value for name, value in whole.items() if name != "windows_per_second"}
    assert {"loss", "rankme"} <= set(resumed)


def test_a_broken_run_resumes_with_equal_weights(frames, tmp_path, monkeypatch):
    settings = PretrainSettings(**SMALL, data=(frames,))
    whole = pretrain(settings, folder=tmp_path / "whole")
    update = RepresentationLearner.update

    def breaks(self):
        if self.updates == 5:  # one after the last checkpoint
            raise KeyboardInterrupt
        return update(self)

    monkeypatch.setattr(RepresentationLearner, "update", breaks)
    with pytest.raises(KeyboardInterrupt):
        pretrain(settings, folder=tmp_path / "broken")
    assert not (tmp_path / "broken" / "encoder").exists()
    monkeypatch.setattr(RepresentationLearner, "update", update)
    broken = pretrain(settings, folder=tmp_path / "broken", resume=True)
    assert same(weights(whole), weights(broken))
    pretrain(settings, folder=tmp_path / "broken", resume=True)  # nothing is left to do
    assert same(weights(whole), weights(broken))
    assert json.loads((broken / "results.json").read_text())["updates"] == 6


def test_other_stores_readouts_and_options(frames, tmp_path):
    more = write_frames(tmp_path / "more")
    changes = {
        "options": '{"mask_ratio": 0.5, "normalize": false}',
        "preload_to_device": True,
        "amp": "bf16",
        "threads": 1,
    }
    run = pretrain(PretrainSettings(**(SMALL | changes), data=(frames, more)), folder=tmp_path / "run")
    again = PretrainSettings(**(SMALL | {"encoder": EncoderArgs(str(run / "encoder"))}), data=(more,))
    assert not same(weights(run), weights(pretrain(again, folder=tmp_path / "again")))


def test_eirlis_names_take_our_options(frames, tmp_path):
    assert find_recipe("TemporalCPC", {"offset": 3}).stride == 3
    encoder = EncoderArgs("nature-cnn", input_size=(40, 40))
    changes = {"method": "VariationalAutoencoder", "encoder": encoder}
    run = pretrain(PretrainSettings(**(SMALL | changes), data=(frames,)), folder=tmp_path / "run")
    assert "kl" in json.loads((run / "results.json").read_text())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"--method": "mea"}, "Did you mean mae?"),
        ({"--data": "nowhere"}, "`folder` must hold frames that a FrameWriter wrote. Received 'nowhere'"),
        ({"--data": ""}, "Either `data` or `env` must be given. Received neither"),
        ({"--env": "NoSuch-v0"}, "Either `data` or `env` must be given. Received both"),
        ({"--data": "", "--env": "NoSuch-v0"}, "`--env` must be the id of an installed environment"),
        ({"--updates": "0"}, "`updates` must be at least 1. Received 0"),
        ({"--options": "[1]"}, "`options` must be a JSON object"),
        ({"--options": "{"}, "`options` must be JSON"),
        ({"--batch-size": "500"}, "at most the number of clips, 48. Received 500"),
        ({"--encoder": "nature-cnn", "--input-size": "40 40"}, "that can skip masked tokens"),
        ({"--input-size": "20 16"}, "`height` must be divisible by 8 (whole patches). Received 20"),
        ({"--lr": "-1"}, "`--lr` must be above 0"),
    ],
)
def test_mistakes_end_with_one_line_and_no_run(frames, monkeypatch, tmp_path, capsys, changes, message):
    monkeypatch.chdir(tmp_path)
    options = {"--method": "mae", "--data": str(frames), "--encoder": "vit-nano", "--device": "cpu"}
    options |= {"--input-size": "16 16", "--updates": "2", "--batch-size": "4", **changes}
    words = [word for key, value in options.items() if value for word in (key, *value.split(" "))]
    monkeypatch.setattr(sys, "argv", ["rlpriors", "pretrain", *words])
    with pytest.raises(SystemExit) as raised:
        main()
    said = " ".join(f"{raised.value} {capsys.readouterr().err}".replace("│", " ").split())
    assert message in said
    assert not (tmp_path / "runs").exists()


def test_help_teaches(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["rlpriors", "pretrain", "--help"])
    with pytest.raises(SystemExit):
        main()
    out = " ".join(re.sub("[│╭╮╰╯─]", " ", capsys.readouterr().out).split())
    for name in PretrainSettings.__dataclass_fields__:
        assert re.search(f"--{name.replace('_', '-')}[ ,]", out)
    assert "rlpriors pretrain --method atc --env ALE/Pong-v5" in out
    methods = out.split("--method ")[-1].split("(default: atc)")[0].replace("- ", "-")  # broken at a hyphen
    assert [word for word in re.findall(r"[\w-]+", methods) if word in RECIPES] == list(RECIPES)


def command(frames: Path, folder: Path, *more: str) -> list[str]:
    words = ["pretrain", "--data", str(frames), "--folder", str(folder), "--device", "cpu", "--threads", "1"]
    return [*words, "--method", "mae", "--encoder", "vit-nano", "--input-size", "16", "16", *more]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_killed_run_resumes_with_equal_weights(frames, tmp_path):
    more = ("--updates", "80", "--batch-size", "4", "--checkpoint-every", "20")
    python = [sys.executable, "-m", "rlpriors.scripts.main"]
    whole, killed = (command(frames, tmp_path / name, *more) for name in ("whole", "killed"))
    subprocess.run([*python, *whole], check=True, capture_output=True)
    running = subprocess.Popen([*python, *killed], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not (tmp_path / "killed" / "resume.pt").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    assert running.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed" / "encoder").exists()
    subprocess.run([*python, *killed, "--resume"], check=True, capture_output=True)
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "killed"))


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_two_processes_write_one_run(frames, tmp_path, monkeypatch):
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    more = ("--updates", "4", "--batch-size", "8", "--checkpoint-every", "2", "--log-every", "1")
    words = command(frames, tmp_path / "run", *more)
    done = subprocess.run(
        [*torchrun, "-m", "rlpriors.scripts.main", *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("run")] == ["run"]
    assert len(list((run / "tensorboard" / "encoder").iterdir())) == 1
    assert done.stdout.count("EncodeObservation(env") == 1
    assert weights(run)
    monkeypatch.setattr(sys, "argv", ["rlpriors", *words, "--resume"])
    with pytest.raises(SystemExit, match=r"The run started with processes 2 \(now 1\)"):
        main()
