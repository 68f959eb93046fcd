"""Training of the encoders that ship: frames of several games, one training, a folder with its card."""

from pathlib import Path

import pytest
import torch
from benchmarks.pretraining import bundle_atari

from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones import bundled
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES

HELD_OUT = [game for game in PAPER_GAMES if game not in ("pong", "tennis")]


def test_frames_of_two_games_make_an_encoder_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bundled, "BUNDLED_DIR", tmp_path / "pretrained")
    folders = ["--runs", str(tmp_path / "runs"), "--output", str(tmp_path / "pretrained"), "--device", "cpu"]
    options = ["--n-steps", "16", "--updates", "2", "--batch-size", "4", "--single-source-batches"]
    options += ["--hold-out", *HELD_OUT]
    bundle_atari.main([*folders, *options])
    assert "rlpriors/atari-small: 2.3 MB" in capsys.readouterr().out
    encoder = load_encoder("rlpriors/atari-small", device="cpu")
    assert (encoder.output_shape, encoder.spec.license) == ((256,), "mit")
    card = (bundled.BUNDLED_DIR / "atari-small" / "README.md").read_text()
    assert "in each of 2 Atari games, in gray, 210 x 160: pong, tennis. License: MIT." in card
    command = "python -m benchmarks.pretraining.bundle_atari --name atari-small --method st-dim"
    command += " --encoder atari-cnn --updates 2 --batch-size 4 --single-source-batches --n-steps 16"
    assert f"{command} --hold-out {' '.join(HELD_OUT)} --seed 0" in card
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["atari-small-seed0", "frames"]

    table = tmp_path / "probe.csv"
    columns = "game,encoder,readout,protocol,seed,f1_weighted,f1_macro,accuracy,n_steps"
    table.write_text(f"{columns}\npong,random-cnn,default,published,0,.3,.3,.3,640\n")
    with pytest.raises(ValueError, match="`--probe` must have rows of 'rlpriors/atari-small'"):
        bundle_atari.main([*folders, *options, "--probe", str(table)])
    with table.open("a") as file:
        file.write("pong,rlpriors/atari-small,default,published,0,.6,.6,.6,640\n")
        file.write("pong,supervised (10 epochs),,published,0,.8,.8,.8,640\n")
        file.write("boxing,random-cnn,default,published,0,.5,.5,.5,640\n")
    bundle_atari.main([*folders, *options, "--probe", str(table)])
    card = (bundled.BUNDLED_DIR / "atari-small" / "README.md").read_text()
    assert "| encoder | pong | **mean** |" in card
    assert "| random-cnn default | 0.30 | 0.30 (seed 0) |" in card
    assert "| rlpriors/atari-small default | 0.60 | 0.60 (seed 0) |" in card
    assert "| supervised (10 epochs) | 0.80 | 0.80 (seed 0) |" in card
    assert "boxing" not in card.partition("## Probes")[2]
    assert load_encoder("rlpriors/atari-small", device="cpu").fingerprint() == encoder.fingerprint()
    with pytest.raises(ValueError, match="Did you mean pong"):
        bundle_atari.main([*folders, "--hold-out", "pogn"])

    with pytest.raises(SystemExit):
        bundle_atari.main([*folders, "--encoder", "nature-cnn", "--whiten"])
    assert "--whiten requires --encoder atari-cnn" in capsys.readouterr().err

    # The control: only the covariance of the features is estimated.
    bundle_atari.main([*folders, *options, "--name", "atari-white", "--method", "none", "--whiten"])
    card = (bundled.BUNDLED_DIR / "atari-white" / "README.md").read_text()
    assert "`atari-cnn`, untrained, then whitened, on 16 steps of a random policy with sticky actions" in card
    options_in_card = "--name atari-white --method none --encoder atari-cnn --whiten --n-steps 16"
    assert f"benchmarks.pretraining.bundle_atari {options_in_card}" in card
    start = load_encoder("atari-cnn", weights="none", seed=0, device="cpu").state_dict()
    white = load_encoder("rlpriors/atari-white", device="cpu").state_dict()
    differ = [key for key in start if not torch.allclose(start[key], white[key], atol=1e-3)]
    assert differ == ["backbone.network.linear.weight", "backbone.network.linear.bias"]
