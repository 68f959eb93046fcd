"""What does a wrapper cost over the bare model, and what do its rings and caches save?

    pip install -c constraints.txt torchrl        # for the row of TorchRL; left out where it is missing
    OMP_NUM_THREADS=1 python -m benchmarks.encode

A ResNet-18 with random weights (speed does not depend on them) sees frames of ALE/Breakout-v5,
210 x 160 in color, recorded from random play beforehand, so that the emulator costs nothing.  For 1,
16 and 64 environments:

`bare`                 the network alone, on frames that are prepared already
`wrapper`              `VectorEncodeObservation`: resize, normalize, network, read, copy
`one call each`        the same encoder called once for each environment
`torchrl`              TorchRL's R3MTransform: its ResNet-18, its preprocessing, the same input size
`wrapper, compiled`    with `compile=True`
`stack 4, ring`        the wrapper with stack=4, which encodes each frame once
`stack 4, no ring`     four frames encoded for each observation
`crops`                PEARL's readout "crops(1,2,4)", 21 views of each frame
`crops, cache`         with cache="crop"

Cases take turns in every round, so that a busy machine slows all alike; the table gives the median
over rounds.  Ratios are to `bare` at the same size and number of environments.  It goes to
`results/encode.csv`, in the place of what this machine wrote there before.
"""

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import ale_py
import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from benchmarks.tables import read_csv, write_csv
from rlpriors.device import resolve_device
from rlpriors.encoders import load_encoder
from rlpriors.wrappers import VectorEncodeObservation

RESULTS = Path(__file__).parent / "results" / "encode.csv"
COLUMNS = ["machine", "case", "size", "envs", "frames_per_s", "ratio_to_bare"]
Job = Callable[[], Any]


def record(n: int) -> np.ndarray:
    """Consecutive frames of random play, [n, 210, 160, 3]."""
    gym.register_envs(ale_py)
    env = gym.make("ALE/Breakout-v5")
    env.action_space.seed(0)
    frames = [env.reset(seed=0)[0]]
    while len(frames) < n:
        frame, _, terminated, truncated, _ = env.step(env.action_space.sample())
        frames.append(env.reset()[0] if terminated or truncated else frame)
    env.close()
    return np.stack(frames)


class Replay(VectorEnv):
    """Plays recorded frames, each environment from its own place on."""

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


def jobs(
    size: int, n: int, frames: np.ndarray, device: torch.device, options: dict[str, Any]
) -> dict[str, Job]:
    """What is timed; each job makes `n` observations."""

    def encoder(**more: Any) -> Any:
        settings = {"weights": "none", "input_size": (size, size), "resize": "squash", "device": device}
        return load_encoder("resnet18", **{**settings, **options, **more})

    def stepper(readout: str | None = None, compile: bool = False, **more: Any) -> Job:
        chosen = encoder(compile=compile) if readout is None else encoder(readout=readout)
        envs = VectorEncodeObservation(Replay(frames, n), chosen, output="torch", **more)
        envs.reset()
        actions = np.zeros(n, int)
        return lambda: envs.step(actions)

    plain, batch = encoder(), frames[:n]
    prepared = plain.preprocess(batch)
    x = prepared.contiguous(memory_format=torch.channels_last) if options["channels_last"] else prepared
    four = np.concatenate([frames[i : i + n] for i in range(4)])

    @torch.inference_mode()
    def bare() -> Any:
        return plain(x)

    named: dict[str, Job] = {
        "bare": bare,
        "wrapper": stepper(),
        "one call each": lambda: [plain.encode(frame[None]) for frame in batch],
        "wrapper, compiled": stepper(compile=True),
        "stack 4, ring": stepper(stack=4),
        "stack 4, no ring": lambda: plain.encode(four),
    }
    transform = torchrl_transform(size, device)
    if transform is not None:
        named["torchrl"] = lambda: transform(batch)
    if n == 16:
        named["crops"] = stepper("crops(1,2,4)")
        named["crops, cache"] = stepper("crops(1,2,4)", cache=50_000)
    return named


def torchrl_transform(size: int, device: torch.device) -> Callable[[np.ndarray], Any] | None:
    """TorchRL's own way from frames to R3M vectors, or None without TorchRL."""
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


def seconds(job: Job, device: torch.device) -> float:
    """Wall time of one call."""
    if device.type == "cuda":
        torch.cuda.synchronize()
    start = time.perf_counter()
    job()
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - start


def main() -> None:
    """Print the table and write the csv."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--device", default="auto")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[84, 224], help="height and width of the network's input"
    )
    parser.add_argument("--envs", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--amp", choices=["bf16", "fp16"], help="half precision in the network, for CUDA")
    settings = parser.parse_args()
    device = resolve_device(settings.device)
    cores = f"{platform.machine()}, {torch.get_num_threads()} thread(s), torch {torch.__version__}"
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else cores
    options = {"channels_last": True, "amp": settings.amp}
    frames = record(2000)
    rows = []
    print(f"{machine}\n{'case':20s} {'size':>5s} {'envs':>5s} {'frames/s':>10s} {'to bare':>8s}")
    for size in settings.sizes:
        for n in settings.envs:
            named = jobs(size, n, frames, device, options)
            times: dict[str, list[float]] = {case: [] for case in named}
            for number in range(settings.rounds + 2):  # two to warm up
                for case, job in named.items():
                    spent = seconds(job, device)
                    if number >= 2:
                        times[case].append(spent)
            rates = {case: n / statistics.median(spent) for case, spent in times.items()}
            for case, rate in rates.items():
                ratio = rate / rates["bare"]
                rows.append([machine, case, size, n, round(rate, 2), round(ratio, 3)])
                print(f"{case:20s} {size:5d} {n:5d} {rate:10.1f} {ratio:8.2f}", flush=True)
    others = [row for row in read_csv(RESULTS) if row[0] != machine]
    write_csv(RESULTS, COLUMNS, [*others, *rows])


if __name__ == "__main__":
    main()
