"""`rlpriors learn-reward --encoder`, and plans, policies and environments by its reward, at a tiny size."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.own_data.demonstrations import record
from spot_env import Spot, to_right

from rlpriors.agents import load_prior
from rlpriors.encoders import load_encoder
from rlpriors.envs.encoded_env import recorded_env
from rlpriors.rewards import load_reward
from rlpriors.scripts.main import main
from rlpriors.wrappers import EncodeObservation, LearnedReward

TINY = (
    *("--collect", "random:200", "--device", "cpu", "--prior-updates", "10", "--reward-updates", "10"),
    *("--agreement-updates", "0", "--checkpoint-every", "10", "--horizon", "2"),
)
ENCODER = ("--encoder", "nature-cnn", "--weights", "none", "--input-size", "36", "36")


def command(monkeypatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["rlpriors", *args])
    main()


def learn(monkeypatch, folder: Path, kind: str, *args: str) -> Path:
    names = {"image": "Spot", "dict": "SpotDict"}
    record(folder / "demos.npz", Spot(kind), to_right, 5)
    env = f"spot_env:{names[kind]}-v0"
    paths = ("--demos", str(folder / "demos.npz"), "--folder", str(folder / "run"))
    command(monkeypatch, "learn-reward", "--env", env, *paths, *TINY, *ENCODER, *args)
    return folder / "run"


def test_a_reward_of_images_is_learned_planned_with_and_trained_on(tmp_path, monkeypatch, capsys):
    run = learn(monkeypatch, tmp_path, "dict", "--frame-stack", "2")
    printed = capsys.readouterr().out
    assert f'recorded_env("spot_env:SpotDict-v0", "{run / "reward"}")' in printed
    reward, prior = load_reward(run / "reward", "cpu"), load_prior(run / "prior", device="cpu")
    assert reward.obs_encoder == prior.obs_encoder
    assert reward.obs_encoder is not None
    assert reward.obs_encoder.options["stack"] == 2
    assert reward.obs_keys == ("camera", "place")
    assert reward.obs_dim == 2 * 512 + 1

    env = LearnedReward(recorded_env("spot_env:SpotDict-v0", run / "reward", device="cpu"), reward)
    env.reset(seed=0)
    assert np.isfinite(env.step(2)[1])

    common = ("--env", "spot_env:SpotDict-v0", "--device", "cpu", "--n-episodes", "2")
    plan = ("plan", "--prior", str(run / "prior"), "--n-steps", "2", "--n-candidates", "2", *common)
    command(monkeypatch, *plan, "--reward", str(run / "reward"), "--folder", str(tmp_path / "plan"))
    assert "learned_return" in json.loads((tmp_path / "plan/results.json").read_text())

    train = ("train-policy", "--reward", str(run / "reward"), "--env-steps", "48", "--n-envs", "2", *common)
    train = (*train, "--random-steps", "16", "--batch-size", "8", "--hidden", "8")
    command(monkeypatch, *train, "--folder", str(tmp_path / "policy"))
    assert json.loads((tmp_path / "policy/results.json").read_text())["env_steps"] == 48
    other = load_encoder("nature-cnn", weights="none", seed=7, input_size=(36, 36), device="cpu")
    saved = other.save(tmp_path / "other")
    for args in (plan, train):
        with pytest.raises(SystemExit, match="must receive features of the encoder"):
            command(monkeypatch, *args, "--encoder", str(saved), "--folder", str(tmp_path / "refused"))


def test_a_finished_run_is_resumed_and_another_encoder_is_refused(tmp_path, monkeypatch, capsys):
    run = learn(monkeypatch, tmp_path, "image")
    before = (run / "reward/model.safetensors").read_bytes()
    learn(monkeypatch, tmp_path, "image", "--resume")
    assert (run / "reward/model.safetensors").read_bytes() == before
    encoder = load_encoder("nature-cnn", weights="none", seed=7, input_size=(36, 36), device="cpu")
    with pytest.raises(ValueError, match="`reward` must receive features of the encoder"):
        LearnedReward(EncodeObservation(Spot(), encoder), run / "reward")


def test_a_prior_of_rendered_images_is_learned(tmp_path, monkeypatch, capsys):
    args = ("learn-prior", "--env", "spot_env:SpotRendered-v0", *TINY[:6], "--horizon", "2")
    args = (
        *args,
        "--checkpoint-every",
        "10",
        *ENCODER,
        "--image-size",
        "36",
        "--folder",
        str(tmp_path / "run"),
    )
    command(monkeypatch, *args)
    assert load_prior(tmp_path / "run/prior", device="cpu").layout.obs_dim == 512
    command(monkeypatch, *args, "--resume")


@pytest.mark.parametrize(
    ("args", "message"),
    [
        (("--frame-stack", "2"), "`frame_stack` is for an encoder of images"),
        (("--readout", "cls"), "leave out --readout"),
        (("--encoder", "nature-cnn", "--image-size", "2"), "`image_size` must be at least 8. Received 2"),
    ],
)
def test_bad_options_are_refused_when_read(args, message, monkeypatch, capsys):
    with pytest.raises(SystemExit):
        command(monkeypatch, "learn-prior", "--env", "spot_env:Spot-v0", *args)
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())


def test_an_encoder_of_a_prior_without_images_is_refused(tmp_path, monkeypatch, capsys):
    args = ("learn-prior", "--env", "spot_env:SpotRendered-v0", *TINY[:6], "--horizon", "2")
    command(monkeypatch, *args, "--checkpoint-every", "10", "--folder", str(tmp_path / "run"))
    plan = ("plan", "--prior", str(tmp_path / "run/prior"), "--env", "spot_env:SpotRendered-v0")
    with pytest.raises(SystemExit, match="the model recorded none; leave out --encoder"):
        command(monkeypatch, *plan, "--encoder", "nature-cnn", "--folder", str(tmp_path / "plan"))
