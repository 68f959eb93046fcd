"""Loading of encoders: weights, licenses and saved folders."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import ENCODERS, EncoderSpec, load_encoder
from rlpriors.networks.cnn import NatureCNN, NatureCNNSettings

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 84, 84, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", ["nature-cnn", "impala-cnn", "atari-cnn"])
def test_own_networks_have_no_published_weights(name: str) -> None:
    with pytest.raises(ValueError, match=f"'{name}' cannot be 'auto'.*weights=\"none\""):
        load_encoder(name, device="cpu")


@pytest.mark.parametrize("name", ["nature-cnn", "impala-cnn", "atari-cnn"])
def test_random_start_follows_the_seed_only(name: str) -> None:
    torch.manual_seed(0)
    first = load_encoder(name, weights="none", device="cpu", seed=5)
    drawn = torch.rand(1)
    torch.manual_seed(1)
    assert load_encoder(name, weights="none", device="cpu", seed=5).fingerprint() == first.fingerprint()
    assert load_encoder(name, weights="none", device="cpu", seed=6).fingerprint() != first.fingerprint()
    torch.manual_seed(0)
    assert torch.equal(torch.rand(1), drawn)


def test_weights_of_ones_own_training(tmp_path: Path) -> None:
    network = NatureCNN(NatureCNNSettings())
    torch.save(network.state_dict(), tmp_path / "nature.pt")
    encoder = load_encoder("nature-cnn", weights=tmp_path / "nature.pt", device="cpu")
    expected = network(torch.from_numpy(FRAMES).permute(0, 3, 1, 2) / 255).global_
    torch.testing.assert_close(encoder.encode(FRAMES), expected)
    with pytest.raises(CheckpointError, match="does not fit ImpalaCNN"):
        load_encoder("impala-cnn", weights=str(tmp_path / "nature.pt"), device="cpu")
    with pytest.raises(FileNotFoundError, match="`weights` must be a file"):
        load_encoder("nature-cnn", weights=tmp_path / "none.pt", device="cpu")


@pytest.mark.parametrize("name", ["mae-b16", "ijepa-h14", "vip-50", "vc1-b", "swav-rn50", "dinov3-small"])
def test_license_errors_quote_the_license(name: str) -> None:
    with pytest.raises(ValueError, match=rf"`allow_noncommercial` must be True.*'{ENCODERS[name].license}'"):
        load_encoder(name, device="cpu")


def test_no_license_for_ones_own_weights() -> None:
    spec = replace(ENCODERS["nature-cnn"], license="cc-by-nc-4.0", commercial=False)
    encoder = load_encoder(spec, weights="none", device="cpu")
    assert (encoder.spec.license, encoder.spec.commercial) == ("none: untrained", True)


def test_saved_encoders(tmp_path: Path) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu", readout="grid(2)")
    encoder.save(tmp_path)
    same = load_encoder(f"local:{tmp_path}", device="cpu")
    assert same.readout.name == "grid(2)"
    assert same.fingerprint() == encoder.fingerprint()
    other = load_encoder(tmp_path, device="cpu", readout="mean", resize="pad")
    assert other.output_shape == (64,)
    assert encoder.fingerprint().difference(other.fingerprint()) == ("preprocess", "readout")
    with pytest.raises(ValueError, match='`weights` must be "auto" for the saved encoder'):
        load_encoder(tmp_path, weights="none", device="cpu")
    with pytest.raises(ValueError, match=r"`input_size` of a saved encoder is fixed, here at \(84, 84\)"):
        load_encoder(tmp_path, input_size=(64, 64), device="cpu")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"no model\.safetensors"):
        load_encoder(tmp_path, device="cpu")


def test_a_spec_of_ones_own() -> None:
    spec = EncoderSpec(
        name="gray",
        source="network",
        model_id="nature-cnn",
        license="mit",
        channels=1,
        mean=(0.5,),
        std=(0.5,),
    )
    encoder = load_encoder(spec, weights="none", device="cpu", input_size=(40, 48))
    assert encoder.encode(FRAMES[..., :1]).shape == (3, 512)
    assert encoder.encode(FRAMES).shape == (3, 512)  # by their brightness
    with pytest.raises(ValueError, match="must have 1 or 3 channels"):
        encoder.encode(FRAMES[..., :2])
    with pytest.raises(ValueError, match=r"`model_id` must be one of .*'impala-cnn', 'nature-cnn'"):
        load_encoder(replace(spec, model_id="natur"), weights="none", device="cpu")


def test_importing_encoders_imports_no_heavy_library() -> None:
    code = "import sys, rlpriors.encoders as e; e.load_encoder('impala-cnn', weights='none', device='cpu')\n"
    code += "assert not {'timm', 'transformers', 'torchvision', 'huggingface_hub'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", ["nature-cnn", "timm:test_vit", "rlpriors/atari-small"])
@pytest.mark.parametrize("readout", ["cls", "attention-pool", "compress(64)"])
def test_loading_leaves_the_random_state_unchanged(name: str, readout: str) -> None:
    state = torch.get_rng_state()
    weights = "auto" if name.startswith("rlpriors/") else "none"
    encoder = load_encoder(name, weights=weights, readout=readout, device="cpu")
    encoder.set_readout("mean").set_readout("attention-pool")
    assert torch.equal(torch.get_rng_state(), state)


def test_loading_saved_modules_leaves_the_random_state_unchanged(tmp_path: Path) -> None:
    folder = load_encoder("timm:test_resnet", weights="none", device="cpu").save(tmp_path)
    state = torch.get_rng_state()
    load_encoder(folder, device="cpu")
    assert torch.equal(torch.get_rng_state(), state)


# In a process of its own: in these tests, type checks see a wrong argument first.
WRONG_ARGUMENTS = """
import gymnasium as gym, json, numpy as np
from rlpriors.encoders import load_encoder
from rlpriors.wrappers import EncodeObservation

class NoiseEnv(gym.Env):
    observation_space, action_space = gym.spaces.Box(0, 255, (48, 48, 3), np.uint8), gym.spaces.Discrete(2)

def message(function, *arguments, **options):
    try:
        return function(*arguments, weights=options.pop("weights", "none"), device="cpu", **options)
    except (TypeError, ValueError) as error:
        return str(error)

for size in (84, (84.0, 84.0)):
    for received in (
        message(load_encoder, "nature-cnn", input_size=size),
        message(EncodeObservation, NoiseEnv(), "nature-cnn", input_size=size),
    ):
        assert "`input_size` must be (height, width)" in received and "pass (84, 84)" in received, received
received = message(load_encoder, "nature-cnn", weights=None)
assert received.startswith('`weights` must be "auto", "none" or the path'), received
received = message(EncodeObservation, NoiseEnv(), "nature-cnn", weights=None)
assert received.startswith('`weights` must be'), received
env = EncodeObservation(NoiseEnv(), "nature-cnn", weights="none", input_size=np.array([84, 84]), device="cpu")
json.dumps(env._saved_kwargs)
"""


def test_wrong_arguments_name_the_fix() -> None:
    subprocess.run([sys.executable, "-c", WRONG_ARGUMENTS], check=True, timeout=120)
