"""Training in half precision: time and loss of each kind of training, in float32 and in bf16.

    python -m benchmarks.speed.half_precision prior
    python -m benchmarks.speed.half_precision representation --updates 2 --batch-size 8      # a test

The kinds are "representation" (an encoder, by the method "simclr"), "prior" (the denoiser of a trajectory
model), "reward" (diffusion inverse reinforcement learning with the objective "contrastive") and "policy"
(behavior cloning).  Networks have their default sizes, data are random.  `bf16` is `torch.autocast` around
the update; the representation has a setting for it.  Both precisions start from the same weights and draw the
same batches.  The command fails if a loss is not finite, or if a weight changed its data type.
"""

import math
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from tianshou.algorithm.algorithm_base import policy_within_training_step  # type: ignore[attr-defined]
from tianshou.algorithm.optim import AdamOptimizerFactory
from torch import nn

from benchmarks.speed.toy_planner import ACT_DIM, OBS_DIM, make_planner, random_data, synchronize
from benchmarks.tables import make_parser, write_csv
from rlpriors.agents import BehaviorCloning, BehaviorCloningPolicy, DiffusionIRL, TrajectoryDiffusion
from rlpriors.data.buffers import to_buffer
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.normalize import Normalizer
from rlpriors.device import resolve_device
from rlpriors.encoders import load_encoder
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.rewards import MLPReward, RewardSettings

COLUMNS = ["device", "training", "precision", "updates", "update_ms", "first_loss", "last_loss"]
OPTIM = AdamOptimizerFactory(lr=1e-3)
Update = Callable[[], float]
Kind = Callable[[torch.device, bool, int, str], tuple[nn.Module, Update]]


def representation(
    device: torch.device, half: bool, batch_size: int, denoiser: str
) -> tuple[nn.Module, Update]:
    """Return an encoder's model and its update."""
    torch.manual_seed(0)
    encoder = load_encoder("nature-cnn", weights="none", device=device)
    with tempfile.TemporaryDirectory() as folder:
        with FrameWriter(Path(folder) / "frames") as writer:
            writer.add_episode(np.random.default_rng(0).integers(0, 256, (512, 84, 84, 3), np.uint8))
        settings = TrainingSettings(
            updates=1000, batch_size=batch_size, amp="bf16" if half else None, preload_to_device=True
        )
        learner = RepresentationLearner(encoder, RECIPES["simclr"](), writer.store, settings)
    return learner.model, lambda: learner.update()["loss"]


def prior(device: torch.device, half: bool, batch_size: int, denoiser: str) -> tuple[nn.Module, Update]:
    """Return a trajectory model's algorithm and its update."""
    policy = make_planner(random_data(), denoiser, device)
    return offline_update(TrajectoryDiffusion(policy=policy, optim=OPTIM), half, batch_size)


def reward(device: torch.device, half: bool, batch_size: int, denoiser: str) -> tuple[nn.Module, Update]:
    """Return the algorithm that learns a reward and its update."""
    data = random_data()
    policy = make_planner(data, denoiser, device)
    model = MLPReward(RewardSettings(OBS_DIM, ACT_DIM), policy.layout.normalizer)
    algorithm = DiffusionIRL(policy=policy, reward=model, optim=OPTIM, prior_data=data)
    return offline_update(algorithm, half, batch_size)


def policy(device: torch.device, half: bool, batch_size: int, denoiser: str) -> tuple[nn.Module, Update]:
    """Return the algorithm of behavior cloning and its update."""
    torch.manual_seed(0)
    actor = BehaviorCloningPolicy(
        action_space=gym.spaces.Box(-1, 1, (ACT_DIM,)),
        obs=Normalizer.identity(OBS_DIM),
        act=Normalizer.identity(ACT_DIM),
        device=device,
    )
    return offline_update(BehaviorCloning(policy=actor, optim=OPTIM), half, batch_size)


KINDS: dict[str, Kind] = {
    "representation": representation,
    "prior": prior,
    "reward": reward,
    "policy": policy,
}


def offline_update(algorithm: Any, half: bool, batch_size: int) -> tuple[nn.Module, Update]:
    """Return an offline algorithm and a function that updates it on random data and returns the loss."""
    windows = algorithm.process_buffer(to_buffer(random_data()))
    device = next(algorithm.parameters()).device

    def update() -> float:
        with (
            torch.autocast(device.type, torch.bfloat16, enabled=half),
            policy_within_training_step(algorithm.policy),
        ):
            return float(algorithm.update(windows, batch_size).loss)

    return algorithm, update


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("kind", choices=KINDS, help="kind of training")
    parser.add_argument("--device", default="auto", help="device of the networks")
    parser.add_argument("--updates", type=int, default=100, help="number of measured updates, at least 1")
    parser.add_argument("--batch-size", type=int, default=64, help="number of samples in a batch")
    parser.add_argument("--denoiser", default="unet", help="denoiser of the prior, by name")
    parser.add_argument("--csv", type=Path, help="file for the table")
    args = parser.parse_args()
    device, rows = resolve_device(args.device), []
    print("".join(f"{name:>16}" for name in COLUMNS))
    for precision in ("float32", "bf16"):
        module, update = KINDS[args.kind](device, precision == "bf16", args.batch_size, args.denoiser)
        types = [weight.dtype for weight in module.parameters()]
        losses = [update()]  # warms up
        synchronize(device)
        start = time.perf_counter()
        losses += [update() for _ in range(args.updates)]
        synchronize(device)
        milliseconds = 1000 * (time.perf_counter() - start) / args.updates
        numbers = [f"{number:.4g}" for number in (milliseconds, losses[0], losses[-1])]
        rows.append([device.type, args.kind, precision, str(args.updates), *numbers])
        print("".join(f"{cell:>16}" for cell in rows[-1]), flush=True)
        if not all(map(math.isfinite, losses)):
            raise FloatingPointError(f"A loss of {args.kind} in {precision} is not finite.")
        if [weight.dtype for weight in module.parameters()] != types:
            raise TypeError(f"A weight of {args.kind} changed its data type in {precision}.")
    if args.csv:
        write_csv(args.csv, COLUMNS, rows)


if __name__ == "__main__":
    main()
