"""The contract of encoders: every wrapper and backend, and an encoded data set, give equal encodings.

`tests/peers/test_envpool.py` holds the same test for EnvPool.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from drift_envs import DriftEnv, DriftEnvs
from gymnasium.vector import AsyncVectorEnv, SyncVectorEnv
from tianshou.env import DummyVectorEnv

from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.wrappers import EncodeObservation, TensorEncodeObservation, VectorEncodeObservation
from rlpriors.wrappers.tianshou.encode_observation import TianshouEncodeObservation

N, STEPS = 3, 3  # no episode ends
ACTIONS = np.random.default_rng(0).uniform(-0.2, 0.2, (STEPS, N, 2)).astype(np.float32)
ENCODERS = {
    "impala-cnn": {"weights": "none", "readout": "grid(2)"},
    "vit-nano": {"weights": "none", "readout": "mean"},
    "rlpriors/atari-filters": {},
    "efficientnet-lite0": {"readout": "lines>sign-projection(64)", "stride": 8, "input_size": (64, 64)},
}

Encodings = Callable[[ImageEncoder, Path], np.ndarray]


def steps_of(env: Any, actions: Any) -> Iterator[Any]:
    """The observations of an environment of any kind."""
    yield env.reset()[0]
    for action in actions:
        yield env.step(action)[0]
    env.close()


def single(encoder: ImageEncoder, folder: Path) -> np.ndarray:
    rows = [
        [obs["camera"] for obs in steps_of(EncodeObservation(DriftEnv(i), encoder), ACTIONS[:, i])]
        for i in range(N)
    ]
    return np.stack(rows, 1)


def vector(encoder: ImageEncoder, folder: Path, kind: Any) -> np.ndarray:
    envs = kind([partial(DriftEnv, i) for i in range(N)])
    return np.stack([obs["camera"] for obs in steps_of(VectorEncodeObservation(envs, encoder), ACTIONS)])


def tianshou(encoder: ImageEncoder, folder: Path) -> np.ndarray:
    venv = TianshouEncodeObservation(DummyVectorEnv([partial(DriftEnv, i) for i in range(N)]), encoder)
    return np.stack([[row["camera"] for row in obs] for obs in steps_of(venv, ACTIONS)])


def tensor(encoder: ImageEncoder, folder: Path) -> np.ndarray:
    envs = TensorEncodeObservation(DriftEnvs(N), encoder)
    return np.stack([obs["camera"].numpy() for obs in steps_of(envs, torch.as_tensor(ACTIONS))])


def offline(encoder: ImageEncoder, folder: Path) -> np.ndarray:
    raw = [steps_of(DriftEnv(i), ACTIONS[:, i]) for i in range(N)]
    frames = np.stack([obs["camera"] for env in raw for obs in env])
    encoded = encode_dataset(
        frames, encoder, folder / "encoded", dtype="float32", batch_size=4, progress=False
    )
    return np.asarray(encoded.features).reshape(N, STEPS + 1, -1).swapaxes(0, 1)


OTHERS: dict[str, Encodings] = {
    "vector": partial(vector, kind=SyncVectorEnv),
    "asynchronous": partial(vector, kind=AsyncVectorEnv),
    "tianshou": tianshou,
    "tensor": tensor,
    "offline": offline,
}


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("backend", ["torch", "openvino", "auto"])
def test_every_way_gives_the_same_encodings(name: str, backend: Any, tmp_path: Path) -> None:
    if backend == "openvino":
        pytest.importorskip("openvino", reason="needs the `openvino` extra")
    options: dict[str, Any] = {"device": "cpu", **ENCODERS[name]}
    encoder = load_encoder(name, backend=backend, **options)
    expected = single(encoder, tmp_path)
    assert expected.shape == (STEPS + 1, N, *encoder.output_shape)
    assert np.ptp(expected, axis=(0, 1)).max() > 1e-3  # the frames do differ
    tolerance = 1e-5 * max(1.0, float(np.abs(expected).max()))
    for encodings in OTHERS.values():
        np.testing.assert_allclose(encodings(encoder, tmp_path), expected, rtol=0, atol=tolerance)
    by_torch = single(load_encoder(name, **options), tmp_path)
    assert np.abs(expected - by_torch).max() < 1e-3 * by_torch.std()


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler")
def test_a_compiled_network_gives_the_same_encodings() -> None:
    # In a process without the checks of annotations, which cannot be compiled.
    code = """
import numpy as np
from test_encode_everywhere import single, tensor, tianshou, vector
from gymnasium.vector import SyncVectorEnv
from rlpriors.encoders import load_encoder

options = {"weights": "none", "readout": "grid(2)", "device": "cpu"}
eager, compiled = (load_encoder("nature-cnn", compile=value, **options) for value in (False, True))
expected = single(eager, None)
for found in (single(compiled, None), vector(compiled, None, SyncVectorEnv), tianshou(compiled, None)):
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)
np.testing.assert_allclose(tensor(compiled, None), expected, rtol=0, atol=1e-5)
"""
    folders = [str(Path(__file__).parent), str(Path(__file__).parents[1] / "toys")]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("backend", ["openvino", "auto"])
@pytest.mark.parametrize(
    ("wrap", "make"),
    [
        (EncodeObservation, DriftEnv),
        (VectorEncodeObservation, lambda: SyncVectorEnv([DriftEnv])),
        (TianshouEncodeObservation, lambda: DummyVectorEnv([DriftEnv])),
        (TensorEncodeObservation, lambda: DriftEnvs(1)),
    ],
)
def test_backend_and_stride_are_options(wrap: Any, make: Any, backend: str) -> None:
    pytest.importorskip("openvino", reason="needs the `openvino` extra")
    options = {"weights": "none", "input_size": (64, 64), "device": "cpu"}
    env = wrap(make(), "timm:resnet18", stride=8, backend=backend, **options)
    encoder = env.observation_encoder.encoder
    assert (encoder.backend, encoder.spec.stride, encoder.output_shape) == ("openvino", 8, (128,))
    if wrap is EncodeObservation:
        assert isinstance(env, gym.Wrapper)
        assert env.spec is None or env.spec.additional_wrappers[-1].kwargs["backend"] == backend
    with pytest.raises(ValueError, match="Received an ImageEncoder"):
        wrap(make(), encoder, backend=backend)
    with pytest.raises(ValueError, match="Received an ImageEncoder"):
        wrap(make(), encoder, stride=8)


def test_a_wrapper_accepts_data_of_another_backend_in_full_precision(tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="needs the `openvino` extra")
    options = {"weights": "none", "input_size": (64, 64), "device": "cpu"}
    encoder = load_encoder("nature-cnn", **options)
    frames = np.random.default_rng(0).integers(0, 256, (3, 44, 44, 3), np.uint8)
    encode_dataset(frames, encoder, tmp_path, progress=False)
    env = EncodeObservation(DriftEnv(), "nature-cnn", backend="openvino", fingerprint=tmp_path, **options)
    assert env.observation_encoder.encoder.backend == "openvino"
    with pytest.raises(ValueError, match="precision: 'bf16' here and 'fp32' there"):
        EncodeObservation(DriftEnv(), "nature-cnn", amp="bf16", fingerprint=tmp_path, **options)


def test_an_openvino_encoder_is_not_moved_to_another_device() -> None:
    pytest.importorskip("openvino", reason="needs the `openvino` extra")
    encoder = load_encoder("nature-cnn", weights="none", backend="openvino")
    with pytest.raises(ValueError, match=r"`device` must be \"cpu\" with backend=\"openvino\""):
        EncodeObservation(DriftEnv(), encoder, device="meta")
    assert encoder.device.type == "cpu"
