"""Bundled encoders: half precision on disk, loaded by name and offline."""

import json
import subprocess
import sys
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import safetensors.torch
import torch

from rlpriors import checkpoint
from rlpriors.encoders import encoder_spec, load_encoder
from rlpriors.encoders.backbones import bundled
from rlpriors.encoders.backbones.bundled import bundled_folder, bundled_names, save_bundled
from rlpriors.wrappers import EncodeObservation

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 84, 84, 3), dtype=np.uint8)


@pytest.fixture
def tiny(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only one that ships."""
    monkeypatch.setattr(bundled, "BUNDLED_DIR", tmp_path / "pretrained")
    monkeypatch.chdir(tmp_path)
    encoder = load_encoder("nature-cnn", weights="none", readout="grid(1)", device="cpu", seed=3)
    return save_bundled(encoder, "rlpriors/tiny", "# tiny\n")


def test_names_of_bundled_encoders(tiny: Path) -> None:
    assert bundled_names() == ("rlpriors/tiny",)
    assert bundled_folder("rlpriors/tiny") == tiny
    assert (tiny / "README.md").read_text() == "# tiny\n"
    spec = encoder_spec("rlpriors/tiny")
    assert (spec.license, spec.commercial, spec.source) == ("mit", True, "local")
    with pytest.raises(ValueError, match=r"bundled with rlpriors: rlpriors/tiny. Received 'rlpriors/tony'"):
        load_encoder("rlpriors/tony", device="cpu")
    with pytest.raises(ValueError, match="Did you mean 'rlpriors/tiny'"):
        load_encoder("rlprior-tiny", device="cpu")
    tiny.rename(tiny.with_name("other"))
    with pytest.raises(ValueError, match=r"Received 'rlpriors/tiny'; for a local folder .*local:rlpriors"):
        load_encoder("rlpriors/tiny", device="cpu")
    Path("pretrained").rename("rlpriors")  # a folder of one's own, of such a name
    assert load_encoder("local:rlpriors/other", device="cpu").output_shape == (64,)


def test_half_precision_files_load_in_full_precision(tiny: Path) -> None:
    original = load_encoder("nature-cnn", weights="none", readout="grid(1)", device="cpu", seed=3)
    loaded = load_encoder("rlpriors/tiny", device="cpu")
    kept = safetensors.torch.load_file(tiny / "model.safetensors")
    assert {tensor.dtype for tensor in kept.values()} == {torch.float16}
    assert {tensor.dtype for tensor in loaded.state_dict().values()} == {torch.float32}
    torch.testing.assert_close(loaded.encode(FRAMES), original.encode(FRAMES), atol=2e-3, rtol=2e-3)
    assert loaded.spec.name == "rlpriors/tiny"
    assert original.fingerprint().difference(loaded.fingerprint()) == ("weights",)


def test_fingerprints_are_the_same_wherever_it_lies(tiny: Path, tmp_path: Path) -> None:
    loaded = load_encoder("rlpriors/tiny", device="cpu")
    assert load_encoder("rlpriors/tiny", device="cpu").fingerprint() == loaded.fingerprint()
    for half in (False, True):
        loaded.save(tmp_path / f"again-{half}", half=half)
        again = load_encoder(tmp_path / f"again-{half}", device="cpu")
        assert again.fingerprint() == loaded.fingerprint()


def test_environments_are_encoded_by_name(tiny: Path) -> None:
    space = gym.spaces.Box(0, 255, (84, 84, 3), np.uint8)

    class Still(gym.Env[np.ndarray, int]):
        observation_space, action_space = space, gym.spaces.Discrete(2)

        def reset(self, *, seed=None, options=None):
            return FRAMES[0], {}

    env = EncodeObservation(Still(), "rlpriors/tiny", device="cpu")
    obs, _ = env.reset()
    expected = load_encoder("rlpriors/tiny", device="cpu").encode(FRAMES[:1])[0].numpy()
    np.testing.assert_allclose(obs, expected, rtol=1e-6)


def test_no_network_is_touched(tiny: Path) -> None:
    code = (
        "import socket, sys, pathlib\n"
        "def refuse(*a, **k): raise AssertionError('the network was asked')\n"
        "socket.socket.connect = socket.getaddrinfo = refuse\n"
        "from rlpriors.encoders import load_encoder\n"
        "from rlpriors.encoders.backbones import bundled\n"
        f"bundled.BUNDLED_DIR = pathlib.Path({str(tiny.parent)!r})\n"
        "print(load_encoder('rlpriors/tiny', device='cpu').output_shape)\n"
        "assert not {'timm', 'transformers'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stdout == "(64,)\n", done.stderr


def test_bad_bundled_encoders_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    for name in ("tiny", "rlpriors/", "rlpriors/a/b", "rlpriors/.."):
        with pytest.raises(ValueError, match="`name` must be 'rlpriors/<name>'"):
            save_bundled(encoder, name, "", tmp_path)
    monkeypatch.setattr(bundled, "MAX_BYTES", 1000)
    with pytest.raises(ValueError, match=r"at most 0.001 MB. Received \d"):
        save_bundled(encoder, "rlpriors/large", "", tmp_path)
    assert not list(tmp_path.rglob("*.json"))
    assert encoder.spec.name == "nature-cnn"
    monkeypatch.undo()
    encoder.unfreeze()
    next(encoder.parameters()).data[0] = 1e6
    with pytest.raises(ValueError, match=r"`half` must be False .* up to 1e\+06"):
        save_bundled(encoder, "rlpriors/wild", "", tmp_path)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_statistics_keep_their_precision(tmp_path: Path) -> None:
    """Running variances may be larger than 16 bits can say."""
    layers = torch.nn.BatchNorm1d(2)
    layers.running_var.fill_(1e6)
    checkpoint.save(layers, encoder_spec("nature-cnn"), tmp_path, half=True)
    kept = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert (kept["weight"].dtype, kept["running_var"].dtype) == (torch.float16, torch.float32)


def test_every_bundled_encoder_is_small_licensed_and_loads() -> None:
    folders = [path for path in bundled.BUNDLED_DIR.iterdir() if path.is_dir()]
    assert {"atari-small", "atari-white"} <= {folder.name for folder in folders}
    for folder in folders:
        check(folder)


def check(folder: Path) -> None:
    name = f"rlpriors/{folder.name}"
    assert {path.name for path in folder.iterdir()} == {"README.md", "config.json", "model.safetensors"}
    assert sum(path.stat().st_size for path in folder.iterdir()) < 5_100_000
    assert json.loads((folder / "config.json").read_text())["settings"]["spec"]["license"] == "mit"
    encoder = load_encoder(name, device="cpu")
    height, width = encoder.spec.input_size
    frames = np.random.default_rng(0).integers(
        256, size=(2, height, width, encoder.spec.channels), dtype=np.uint8
    )
    assert encoder.encode(frames).isfinite().all()
    if "Atari" in (folder / "README.md").read_text():  # in color and in gray, as it comes
        check_atari(name)
    assert "```sh\npython -m benchmarks." in (folder / "README.md").read_text()


def check_atari(name: str) -> None:
    gym.register_envs(pytest.importorskip("ale_py", reason="needs the `atari` extra"))
    seen = []
    for kind in ("rgb", "grayscale"):
        env = EncodeObservation(gym.make("ALE/Pong-v5", obs_type=kind), name, device="cpu")
        obs, _ = env.reset(seed=0)
        assert obs in env.observation_space
        assert obs.std() > 0
        seen.append(obs)
    np.testing.assert_array_equal(*seen)
