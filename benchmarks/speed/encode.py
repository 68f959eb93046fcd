"""Time of the encode wrapper, against the bare network and with its frame stacks and caches.

    pip install -c constraints.txt torchrl        # optional: for the row of TorchRL
    OMP_NUM_THREADS=1 python -m benchmarks.speed.encode

A ResNet-18 with random weights (speed does not depend on them) encodes frames of ALE/Breakout-v5, 210 x 160
in color.  The frames are recorded from random actions first, so that the time of the emulator does not count.
The cases, for 1, 16 and 64 environments:

`network`                   the network alone, on preprocessed frames
`wrapper`                   `VectorEncodeObservation`: resize, normalize, network, readout, copy
`one call per environment`  the same encoder, called once for each environment
`torchrl`                   TorchRL's R3MTransform: its ResNet-18, its preprocessing, the same input size
`wrapper, compiled`         the wrapper with `compile=True`
`stack 4, each frame once`  the wrapper with stack=4, which encodes each frame once
`stack 4, each frame four times`  four frames encoded for each observation
`crops`                     PEARL's readout "crops(1,2,4)", 21 views of each frame
`crops, cache`              the same with cache="crop"

Cases take turns in every round, so that other load on the machine slows all of them equally.  The table shows
medians over rounds.  Ratios are to `network` at the same input size and number of environments.  The rows
replace earlier rows of this machine in `results/encode.csv`, or in the file of `--csv`.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.device import resolve_device
from rlpriors.encoders import load_encoder
from rlpriors.envs.make import make_env
from rlpriors.wrappers import VectorEncodeObservation

RESULTS = Path(__file__).parents[1] / "results" / "encode.csv"
COLUMNS = ["machine", "case", "size", "n_envs", "frames_per_s", "ratio_to_network"]
Job = Callable[[], Any]


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
    return np.random.default_rng(0).integers(0, 256, (n, 210, 160, 3), np.uint8)


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


def make_jobs(
    size: int,
    n: int,
    frames: np.ndarray,
    device: torch.device,
    options: dict[str, Any],
    compiled: bool = True,
) -> dict[str, Job]:
    """Return the timed calls by case; each call makes `n` observations."""

    def make_encoder(**overrides: Any) -> Any:
        settings = {"weights": "none", "input_size": (size, size), "resize": "squash", "device": device}
        return load_encoder("resnet18", **{**settings, **options, **overrides})

    def make_step(readout: str | None = None, compile: bool = False, **wrapper_options: Any) -> Job:
        encoder = make_encoder(compile=compile) if readout is None else make_encoder(readout=readout)
        envs = VectorEncodeObservation(ReplayVectorEnv(frames, n), encoder, output="torch", **wrapper_options)
        envs.reset()
        actions = np.zeros(n, int)
        return lambda: envs.step(actions)

    encoder, batch = make_encoder(), frames[:n]
    x = encoder.preprocess(batch)
    if options["channels_last"]:
        x = x.contiguous(memory_format=torch.channels_last)
    stacks = np.concatenate([frames[i : i + n] for i in range(4)])

    @torch.inference_mode()
    def network() -> Any:
        return encoder(x)

    jobs: dict[str, Job] = {
        "network": network,
        "wrapper": make_step(),
        "one call per environment": lambda: [encoder.encode(frame[None]) for frame in batch],
        "stack 4, each frame once": make_step(stack=4),
        "stack 4, each frame four times": lambda: encoder.encode(stacks),
    }
    if compiled:
        jobs["wrapper, compiled"] = make_step(compile=True)
    transform = make_torchrl_transform(size, device)
    if transform is not None:
        jobs["torchrl"] = lambda: transform(batch)
    if n == 16:
        jobs["crops"] = make_step("crops(1,2,4)")
        jobs["crops, cache"] = make_step("crops(1,2,4)", cache=50_000)
    return jobs


def make_torchrl_transform(size: int, device: torch.device) -> Callable[[np.ndarray], Any] | None:
    """Return TorchRL's function from frames to R3M vectors, or None if TorchRL is not installed."""
    try:
        from tensordict import TensorDict
        from torchrl.envs.transforms import R3MTransform
    except ImportError:
        return None
    transform = R3MTransform("resnet18", in_keys=["pixels"], size=size, download=False).to(device)
    if not transform.initialized:
        transform._init()

    @torch.inference_mode()
    def run(frames: np.ndarray) -> Any:
        pixels = torch.from_numpy(frames).to(device)
        return transform._call(TensorDict({"pixels": pixels}, [len(frames)], device=device))

    return run


def measure_seconds(job: Job, device: torch.device) -> float:
    """Return the wall time of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    job()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print the table and write the csv."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="auto", help="device of the network")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[84, 224], help="height and width of the network's input"
    )
    parser.add_argument("--n-envs", type=int, nargs="+", default=[1, 16, 64], help="numbers of environments")
    parser.add_argument("--rounds", type=int, default=5, help="number of measured rounds")
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="half precision in the network, for CUDA")
    parser.add_argument(
        "--frames", choices=["breakout", "noise"], default="breakout", help="noise needs no emulator"
    )
    parser.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, default=True, help="the case that compiles"
    )
    parser.add_argument("--csv", type=Path, default=RESULTS, help="file for the table")
    settings = parser.parse_args()
    device = resolve_device(settings.device)
    cores = f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}"
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else cores
    options = {"channels_last": True, "amp": settings.amp}
    frames = record_frames(2000) if settings.frames == "breakout" else make_noise(200)
    rows = []
    print(f"{machine}\n{'case':30s} {'size':>5s} {'envs':>5s} {'frames/s':>10s} {'ratio':>8s}")
    for size in settings.sizes:
        for n in settings.n_envs:
            jobs = make_jobs(size, n, frames, device, options, settings.compile)
            times: dict[str, list[float]] = {case: [] for case in jobs}
            for number in range(settings.rounds + 2):  # two to warm up
                for case, job in jobs.items():
                    spent = measure_seconds(job, device)
                    if number >= 2:
                        times[case].append(spent)
            rates = {case: n / statistics.median(spent) for case, spent in times.items()}
            for case, rate in rates.items():
                ratio = rate / rates["network"]
                rows.append([machine, case, size, n, round(rate, 2), round(ratio, 3)])
                print(f"{case:30s} {size:5d} {n:5d} {rate:10.1f} {ratio:8.2f}", flush=True)
    other_machines = [row for row in read_csv(settings.csv) if row[0] != machine]
    write_csv(settings.csv, COLUMNS, [*other_machines, *rows])


if __name__ == "__main__":
    main()
