"""The way to the encoder that ships: play of several games, one training, a folder with its card."""

from pathlib import Path

import pytest
import torch

from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones import bundled as shipped
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
HELD_OUT = [game for game in PAPER_GAMES if game not in ("pong", "tennis")]


def test_two_games_become_an_encoder_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    from benchmarks import ship_atari

    monkeypatch.setattr(shipped, "PRETRAINED", tmp_path / "pretrained")
    where = ["--runs", str(tmp_path / "runs"), "--target", str(tmp_path / "pretrained"), "--device", "cpu"]
    how = ["--steps", "16", "--updates", "2", "--batch-size", "4", "--one-store", "--hold-out", *HELD_OUT]
    ship_atari.main([*where, *how])
    assert "rlpriors/atari-small: 2.3 MB" in capsys.readouterr().out
    encoder = load_encoder("rlpriors/atari-small", device="cpu")
    assert (encoder.output_shape, encoder.spec.license) == ((256,), "mit")
    card = (shipped.PRETRAINED / "atari-small" / "README.md").read_text()
    assert "of each of 2 Atari games, in gray, 210 x 160: pong, tennis. License: MIT." in card
    assert (
        "python -m benchmarks.ship_atari --name atari-small --method st-dim --encoder atari-cnn --updates 2 "
        f"--batch-size 4 --one-store --steps 16 --hold-out {' '.join(HELD_OUT)} --seed 0" in card
    )
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["atari-small-seed0", "frames"]

    table = tmp_path / "probe.csv"
    columns = "game,encoder,readout,protocol,seed,f1_weighted,f1_macro,accuracy,steps"
    table.write_text(f"{columns}\npong,random-cnn,own,published,0,.3,.3,.3,640\n")
    with pytest.raises(ValueError, match="`probe` must hold rows of 'rlpriors/atari-small'"):
        ship_atari.main([*where, *how, "--probe", str(table)])
    with table.open("a") as file:
        file.write("pong,rlpriors/atari-small,own,published,0,.6,.6,.6,640\n")
        file.write("pong,supervised (10 epochs),,published,0,.8,.8,.8,640\n")
        file.write("boxing,random-cnn,own,published,0,.5,.5,.5,640\n")
    ship_atari.main([*where, *how, "--probe", str(table)])
    card = (shipped.PRETRAINED / "atari-small" / "README.md").read_text()
    assert "| game | random-cnn own | rlpriors/atari-small own | supervised (10 epochs) |" in card
    assert "| pong | 0.30 | 0.60 | 0.80 |" in card
    assert "boxing" not in card.partition("## Probes")[2]
    assert load_encoder("rlpriors/atari-small", device="cpu").fingerprint() == encoder.fingerprint()
    with pytest.raises(ValueError, match="Did you mean pong"):
        ship_atari.main([*where, "--hold-out", "pogn"])

    with pytest.raises(SystemExit):
        ship_atari.main([*where, "--encoder", "nature-cnn", "--whiten"])
    assert "--whiten needs --encoder atari-cnn" in capsys.readouterr().err

    # The control: nothing is learned but how the features vary.
    ship_atari.main([*where, *how, "--name", "atari-white", "--method", "none", "--whiten"])
    card = (shipped.PRETRAINED / "atari-white" / "README.md").read_text()
    assert "`atari-cnn`, as it starts, then whitened, on 16 steps of sticky random play" in card
    assert (
        "benchmarks.ship_atari --name atari-white --method none --encoder atari-cnn --whiten --steps 16"
        in card
    )
    start = load_encoder("atari-cnn", weights="none", seed=0, device="cpu").state_dict()
    white = load_encoder("rlpriors/atari-white", device="cpu").state_dict()
    differ = [key for key in start if not torch.allclose(start[key], white[key], atol=1e-3)]
    assert differ == ["backbone.network.linear.weight", "backbone.network.linear.bias"]
