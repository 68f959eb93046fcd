"""Cases of the encoding benchmark: one encoder, one way to run it, and one number of environments each.

`Case`            what is timed
`Job`             functions of a case
`ReplayVectorEnv` vector environment of recorded frames
`record_frames`   frames of a random policy in Breakout
`make_noise`      random frames of the same size
`save_encoder`    encoder that all cases of an input size load, with the same weights
`make_job`        function that runs a case once and returns the features
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from torch import Tensor

from benchmarks.speed.encode_peers import make_onnx, make_torchrl
from rlpriors.encoders import bn_calibrate, encoder_spec, load_encoder
from rlpriors.envs.make import make_env
from rlpriors.wrappers import VectorEncodeObservation

__all__ = ["Case", "Job", "ReplayVectorEnv", "make_job", "make_noise", "record_frames", "save_encoder"]

FRAME = (210, 160, 3)
BACKENDS: dict[str, dict[str, Any]] = {
    "torch": {},
    "torch bf16": {"amp": "bf16"},
    "torch fp16": {"amp": "fp16"},
    "torch compiled": {"compile": True},
    "openvino": {"backend": "openvino"},
    "openvino bf16": {"backend": "openvino", "amp": "bf16"},
}
"""Options of `load_encoder` by the name of a backend."""
WRAPPERS: dict[str, tuple[str, dict[str, Any]]] = {
    "wrapper": ("cls", {}),
    "stack 4, each frame once": ("cls", {"stack": 4}),
    "crops": ("crops(1,2,4)", {}),
    "crops, cache": ("crops(1,2,4)", {"cache": 50_000}),
}
"""Readout of the encoder and options of the wrapper, by the name of a case."""


class Case(NamedTuple):
    """Encoder, backend and sizes of one measurement."""

    encoder: str
    """Name of the encoder."""
    name: str
    """Name of the case: "network", a name of `WRAPPERS`, or another one of the command's list."""
    backend: str
    """Name of the backend: one of `BACKENDS`, "torchrl" or "onnxruntime"."""
    size: int
    """Height and width of the network's input; 0 for the encoder's own."""
    n_envs: int
    """Number of environments, and of frames in a call."""


class Job(NamedTuple):
    """A case that is ready to run."""

    run: Callable[[], Any]
    """Function that encodes `n_envs` frames; it is timed."""
    features: Callable[[], Tensor] | None = None
    """Function that returns the features of the first `n_envs` frames, if they are those of "cls"."""


class ReplayVectorEnv(VectorEnv):
    """Vector environment of recorded frames; each environment starts at another frame."""

    metadata: ClassVar = {"autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, frames: np.ndarray, num_envs: int) -> None:
        self.frames, self.num_envs = frames, num_envs
        self.single_observation_space = gym.spaces.Box(0, 255, frames.shape[1:], np.uint8)
        self.single_action_space = gym.spaces.Discrete(4)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.at = np.linspace(0, len(frames), num_envs, endpoint=False).astype(int)

    def reset(self, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        return self.frames[self.at % len(self.frames)], {}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        self.at = self.at + 1
        no = np.zeros(self.num_envs, bool)
        return self.frames[self.at % len(self.frames)], np.zeros(self.num_envs), no, no, {}


def record_frames(n: int) -> np.ndarray:
    """Return consecutive frames of a random policy, [n, 210, 160, 3]."""
    env = make_env("ALE/Breakout-v5")
    env.action_space.seed(0)
    frames = [env.reset(seed=0)[0]]
    while len(frames) < n:
        frame, _, terminated, truncated, _ = env.step(env.action_space.sample())
        frames.append(env.reset()[0] if terminated or truncated else frame)
    env.close()
    return np.stack(frames)


def make_noise(n: int) -> np.ndarray:
    """Return random frames of Breakout's size, [n, 210, 160, 3]."""
    return np.random.default_rng(0).integers(0, 256, (n, *FRAME), np.uint8)


def save_encoder(name: str, size: int, frames: np.ndarray, folder: Path) -> Path:
    """Save an encoder in `folder`, from which each backend loads the same weights; return the folder.

    Networks without published weights here get random ones, with BatchNorm statistics of `frames`: otherwise
    all their features would be nearly equal.  Frames are resized as TorchRL does.
    """
    spec = encoder_spec(name)
    bundled = spec.source == "local" or name == "efficientnet-lite0"
    options: dict[str, Any] = {"weights": "auto" if bundled else "none", "device": "cpu"}
    if size:
        spec = replace(spec, interpolation="bilinear", input_size=(size, size))
    encoder = load_encoder(spec, **options)
    if name == "resnet18":
        bn_calibrate(encoder, frames[:64])
    return encoder.save(folder)


def make_job(case: Case, folder: Path, frames: np.ndarray, device: torch.device) -> Job | None:
    """Return a function that encodes `n_envs` frames; None if the case's library is not installed."""
    n = case.n_envs
    batch = frames[np.linspace(0, len(frames), n, endpoint=False).astype(int)]
    options: dict[str, Any] = {"device": device, "channels_last": True, **BACKENDS.get(case.backend, {})}
    if case.backend == "onnxruntime" and device.type != "cpu":
        return None
    if case.backend in ("torchrl", "onnxruntime"):
        make = make_torchrl if case.backend == "torchrl" else make_onnx
        run = make(load_encoder(folder, device=device), batch)
        return None if run is None else Job(run, run)
    if case.name in WRAPPERS:
        readout, wrapper_options = WRAPPERS[case.name]
        is_cls = readout == "cls"
        encoder = load_encoder(folder, readout=None if is_cls else readout, **options)
        envs = VectorEncodeObservation(ReplayVectorEnv(frames, n), encoder, output="torch", **wrapper_options)
        envs.reset()
        actions = np.zeros(n, int)
        features = (lambda: encoder.encode(batch)) if is_cls and not wrapper_options else None
        return Job(lambda: envs.step(actions)[0], features)
    encoder = load_encoder(folder, **options)
    if case.name == "one call per environment":
        return Job(lambda: torch.cat([encoder.encode(frame[None]) for frame in batch]))
    if case.name == "stack 4, each frame four times":
        stacks = np.concatenate([frames[i : i + n] for i in range(4)])
        return Job(lambda: encoder.encode(stacks))
    if case.name != "network":
        raise ValueError(f"`case` must be a known one. Received {case.name!r}.")
    x = encoder.preprocess(batch).contiguous(memory_format=torch.channels_last)

    @torch.inference_mode()
    def network() -> Any:
        return encoder(x).global_

    return Job(network, network)
