"""The encoder of random filters that ships: filters, a fixed scale, and its card."""

from pathlib import Path

import numpy as np
import pytest
import torch
from benchmarks.pretraining import bundle_filters

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.encoders.backbones import bundled
from rlpriors.encoders.backbones.bundled import BUNDLED_DIR


def test_it_is_built_from_its_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    monkeypatch.setattr(bundled, "BUNDLED_DIR", tmp_path / "pretrained")
    options = ["--games", "alien", "gopher", "--n-steps", "40", "--name", "few"]
    options += ["--readout", "lines(4)>sign-projection(16)", "--runs", str(tmp_path / "runs")]
    bundle_filters.main([*options, "--output", str(tmp_path / "pretrained")])
    encoder = load_encoder("rlpriors/few", device="cpu")
    assert (encoder.output_shape, encoder.readout.name) == ((16,), "lines(4)>sign-projection(16)>scale")

    stores = [FrameStore.open(path) for path in sorted((tmp_path / "runs" / "frames").iterdir())]
    features = [encoder.encode(np.array(store.frames)) for store in stores]
    residuals = torch.cat([group - group.mean(0) for group in features])
    variance = residuals.square().sum(0) / (len(residuals) - 1)
    torch.testing.assert_close(variance, torch.ones(16), atol=1e-3, rtol=0)
    torch.testing.assert_close(torch.cat(features).mean(0), torch.zeros(16), atol=1e-3, rtol=0)

    card = (tmp_path / "pretrained" / "few" / "README.md").read_text()
    assert "in each of 2 Atari games, in gray, 210 x 160: alien, gopher." in card
    assert "--name few --games alien gopher --n-steps 40" in card
    filters = encoder.backbone.network.filters
    with torch.random.fork_rng():
        torch.manual_seed(0)
        assert torch.equal(filters, torch.randn(32, 1, 8, 8).half().float())


def test_probed_games_are_held_out(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        bundle_filters.main(["--games", "alien", "pong"])
    assert "must be games without RAM annotations. Received pong" in capsys.readouterr().err


def test_the_one_that_ships_is_small() -> None:
    files = list((BUNDLED_DIR / "atari-filters").iterdir())
    assert sum(path.stat().st_size for path in files) < 20_000
    encoder = load_encoder("rlpriors/atari-filters", device="cpu")
    assert (encoder.output_shape, encoder.spec.input_size, encoder.spec.channels) == ((512,), (210, 160), 1)
    assert encoder.readout.name == "lines>sign-projection(512)>scale"
    command = "python -m benchmarks.pretraining.bundle_filters --name atari-filters --games "
    assert (
        command + " ".join(bundle_filters.OTHER_GAMES)
        in (BUNDLED_DIR / "atari-filters/README.md").read_text()
    )
