"""`rlpriors encode`, run whole on a few frames."""

import sys
from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.encoders import load_encoder
from rlpriors.encoders.dataset.encoded_dataset import load_encoded
from rlpriors.scripts.encode.run import encode
from rlpriors.scripts.encode.settings import EncodeSettings
from rlpriors.scripts.encoder_args import FrozenEncoderArgs
from rlpriors.scripts.main import main


@pytest.fixture
def frames(tmp_path: Path) -> Path:
    images = np.random.default_rng(0).integers(256, size=(7, 40, 40, 3), dtype=np.uint8)
    with FrameWriter(tmp_path / "frames") as writer:
        writer.add_episode(images[:4])
        writer.add_episode(images[4:])
    return tmp_path / "frames"


def run(monkeypatch: pytest.MonkeyPatch, *args: str) -> None:
    monkeypatch.setattr(sys, "argv", ["rlpriors", "encode", *args])
    main()


def test_the_command_encodes_and_says_how_to_go_on(frames, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    options = ["--source", str(frames), "--encoder", "nature-cnn", "--weights", "none", "--folder", str(out)]
    options += ["--input-size", "36", "36", "--dtype", "float32", "--device", "cpu", "--readout", "cls+mean"]
    run(monkeypatch, *options)
    output = capsys.readouterr().out
    assert "7 frames of 2 episodes, (576,) numbers each in float32, by nature-cnn (cls+mean)" in output
    assert f'load_encoded("{out}").features' in output
    encoder = load_encoder(
        "nature-cnn", weights="none", readout="cls+mean", input_size=(36, 36), device="cpu"
    )
    encoded = load_encoded(out, encoder)
    np.testing.assert_allclose(encoded.features, encoder.encode(np.load(frames / "frames.npy")), atol=1e-5)
    run(monkeypatch, *options)  # finished: the same again


@pytest.mark.parametrize(
    ("changes", "output"),
    [
        ({"--source": "nowhere"}, "`source` must be a folder of frames"),
        ({"--encoder": "nature-cmm"}, "nature-cnn"),
        ({"--weights": "auto"}, 'weights="none"'),
        ({"--readout": "grid(90)"}, "needs a map of at least 90x90"),
    ],
)
def test_mistakes_end_with_one_line(frames, tmp_path, monkeypatch, changes, output):
    options = {"--source": str(frames), "--encoder": "nature-cnn", "--weights": "none", "--device": "cpu"}
    options |= {"--folder": str(tmp_path / "out"), **changes}
    with pytest.raises(SystemExit) as raised:
        run(monkeypatch, *(word for option in options.items() for word in option))
    assert str(raised.value).startswith("rlpriors: ")
    assert output in str(raised.value)
    assert not (tmp_path / "out").exists()


def test_backend_stride_and_precision_are_flags(frames, tmp_path, monkeypatch, capsys):
    pytest.importorskip("openvino", reason="needs the `openvino` extra")
    options = ["--source", str(frames), "--encoder", "timm:resnet18", "--weights", "none", "--stride", "8"]
    options += ["--input-size", "64", "64", "--dtype", "float32", "--device", "cpu"]
    run(monkeypatch, *options, "--backend", "auto", "--folder", str(tmp_path / "auto"))
    assert "timm:resnet18 is run by openvino." in capsys.readouterr().out
    run(monkeypatch, *options, "--amp", "bf16", "--folder", str(tmp_path / "half"))
    full, half = load_encoded(tmp_path / "auto"), load_encoded(tmp_path / "half")
    assert (full.fingerprint.backend, full.fingerprint.precision) == ("openvino", "fp32")
    assert (half.fingerprint.backend, half.fingerprint.precision) == ("torch", "bf16")
    assert full.features.shape == half.features.shape == (7, 128)
    assert 0 < np.abs(full.features - half.features).max() < 0.1 * full.features.std()


def test_an_unfinished_run_resumes(frames, tmp_path, monkeypatch):
    out = tmp_path / "out"
    encoder = FrozenEncoderArgs("nature-cnn", weights="none", input_size=(36, 36))
    settings = EncodeSettings(str(frames), encoder, out, batch_size=2, device="cpu")
    from rlpriors.encoders import ImageEncoder

    real, calls = ImageEncoder.encode, []

    def killed(self, frames, previous=None):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return real(self, frames, previous)

    monkeypatch.setattr(ImageEncoder, "encode", killed)
    with pytest.raises(KeyboardInterrupt):
        encode(settings)
    encode(settings)
    assert len(calls) == 5  # of four batches two, the interrupted one, and the two that were left
    assert len(load_encoded(out).features) == 7
