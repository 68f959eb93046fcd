"""Memory over many wrapped vector steps.

    nice -n 19 python -m benchmarks.robustness.memory --steps 1000000

An encoder and a learned reward wrap a vector environment of small frames, so that each step passes
`VectorEncodeObservation` with a stack of frames and `VectorLearnedReward`.  The encoder is a single
convolution, because the wrappers are under test.  Episodes of different lengths end and restart.
The command measures the resident memory of the process at 101 points.  It is flat if the memory at the end
is within `--tolerance` MiB of the memory at 10 %; otherwise the exit status is 1.  The rows of
`results/robustness_memory.csv` are (steps, MiB).
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import gymnasium as gym
import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space

from benchmarks.robustness.forked import restart_with_one_thread
from benchmarks.tables import make_parser, write_csv
from rlpriors.encoders import EncoderSpec, ImageEncoder
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.rewards import MLPReward, RewardSettings
from rlpriors.types import Features
from rlpriors.wrappers import VectorEncodeObservation, VectorLearnedReward

RESULTS = Path(__file__).parents[1] / "results" / "robustness_memory.csv"
COLUMNS = ("steps", "MiB")
POINTS = 100
SIZE, STACK, N_ACTIONS = 8, 2, 3


class NoiseVectorEnv(VectorEnv):
    """Vector environment of random frames; environment i ends its episodes after 20 + i steps."""

    metadata: ClassVar = {"autoreset_mode": AutoresetMode.NEXT_STEP}

    def __init__(self, num_envs: int) -> None:
        self.num_envs = num_envs
        self.single_observation_space = gym.spaces.Box(0, 255, (SIZE, SIZE, 3), np.uint8)
        self.single_action_space = gym.spaces.Discrete(N_ACTIONS)
        self.observation_space = batch_space(self.single_observation_space, num_envs)
        self.action_space = batch_space(self.single_action_space, num_envs)
        self.time = np.zeros(num_envs, int)
        self.limits = 20 + np.arange(num_envs)
        self.random = np.random.default_rng(0)

    def reset(self, **kwargs: Any) -> tuple[np.ndarray, dict[str, Any]]:
        self.time[:] = 0
        return self._frames(), {}

    def step(self, actions: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, dict[str, Any]]:
        begins = self.time == self.limits
        self.time = np.where(begins, 0, self.time + 1)
        ends = self.time == self.limits
        odd = self.time % 2 == 1
        info = {"time": self.time.copy(), "_time": np.ones(self.num_envs, bool)}
        return self._frames(), np.zeros(self.num_envs), ends & odd, ends & ~odd, info

    def _frames(self) -> np.ndarray:
        return self.random.integers(0, 256, (self.num_envs, SIZE, SIZE, 3), np.uint8)


class SmallBackbone(Backbone):
    """One convolution and its mean over the image."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = torch.nn.Conv2d(3, 4, 4, stride=4)

    def forward(self, x: torch.Tensor) -> Features:
        maps = self.convolution(x)
        return Features(maps.mean((2, 3)), maps.flatten(2).mT, maps)


def make_wrapped(num_envs: int) -> VectorLearnedReward[Any, Any]:
    """Return the vector environment behind an encoder and a learned reward."""
    torch.manual_seed(0)
    spec = EncoderSpec(
        "small", source="network", model_id="nature-cnn", license="mit", input_size=(SIZE, SIZE)
    )
    encoder = ImageEncoder(spec, SmallBackbone(), device="cpu")
    encoded = VectorEncodeObservation(NoiseVectorEnv(num_envs), encoder, stack=STACK)
    (obs_dim,) = encoded.single_observation_space.shape or (0,)
    reward = MLPReward(RewardSettings(obs_dim=obs_dim, act_dim=1, n_actions=N_ACTIONS, hidden=(8,)))
    return VectorLearnedReward(encoded, reward, device="cpu")


def measure(n_steps: int, num_envs: int) -> Iterator[tuple[int, float]]:
    """Step `n_steps` times and yield the number of steps and the memory in MiB, at 101 points or fewer."""
    envs = make_wrapped(num_envs)
    envs.reset(seed=0)
    actions = np.zeros(num_envs, int)
    points = set(np.linspace(0, n_steps, POINTS + 1).astype(int).tolist())
    for step in range(n_steps + 1):
        if step in points:
            yield step, resident_memory()
        if step < n_steps:
            envs.step(actions)
    envs.close()


def resident_memory() -> float:
    """Return the resident memory of this process in MiB, on Linux."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def summarize(rows: list[tuple[int, float]]) -> tuple[float, float]:
    """Return the growth in MiB from 10 % of the steps to the end, and the slope in MiB per million steps."""
    steps, memory = np.array(rows).T
    late = steps >= 0.1 * steps[-1]
    slope = np.polyfit(steps[late], memory[late], 1)[0] if late.sum() > 1 else 0.0
    return float(memory[-1] - memory[late][0]), float(slope * 1e6)


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="number of vector steps")
    parser.add_argument("--n-envs", type=int, default=2, help="number of environments in the vector")
    parser.add_argument("--tolerance", type=float, default=4.0, help="allowed growth from 10 %% on, in MiB")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the measurements")
    args = parser.parse_args()
    restart_with_one_thread("benchmarks.robustness.memory")
    rows: list[tuple[int, float]] = []
    for step, memory in measure(args.steps, args.n_envs):
        rows.append((step, round(memory, 2)))
        write_csv(args.results, COLUMNS, rows)
        if len(rows) % 10 == 1:
            print(f"{step} steps: {memory:.1f} MiB", flush=True)
    growth, slope = summarize(rows)
    print(f"growth from 10 % to 100 %: {growth:.2f} MiB; slope {slope:.2f} MiB per million steps")
    raise SystemExit(int(growth > args.tolerance))


if __name__ == "__main__":
    main()
