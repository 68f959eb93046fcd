"""Time of a plan by guided diffusion, for one and for many environments, in full and in half precision.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.planning
    python -m benchmarks.speed.planning --n-envs 1 --denoisers mlp --n-steps 2 --rounds 1    # a test

A plan is 16 candidates of 32 time steps by 16 guided denoising steps for each environment.  The denoiser has
its default size.  Weights and data are random, because the time does not depend on them.  `bf16` is
`torch.autocast` around the whole plan.  The table shows medians over rounds after a plan that warms up.
"""

import statistics
import time
from pathlib import Path

import torch

from benchmarks.speed.toy_planner import make_planner, random_data, synchronize
from benchmarks.tables import make_parser, write_csv
from rlpriors.agents import DiffuserPolicy
from rlpriors.device import resolve_device

COLUMNS = ["device", "denoiser", "precision", "n_envs", "plan_ms", "plans_per_s"]


def measure_plan(policy: DiffuserPolicy, n_envs: int, half: bool, rounds: int) -> float:
    """Return the median time in seconds of one call that plans for `n_envs` environments.

    Raises:
        FloatingPointError: a plan has a number that is not finite.
    """
    obs = random_data(1, max(n_envs, 32 * 4)).obs[:n_envs]
    times = []
    for number in range(rounds + 1):
        synchronize(policy.device)
        start = time.perf_counter()
        with torch.autocast(policy.device.type, torch.bfloat16, enabled=half):
            plan = policy.plan(obs)
        synchronize(policy.device)
        if number:  # the first plan warms up
            times.append(time.perf_counter() - start)
    if not torch.isfinite(plan).all():
        raise FloatingPointError("A plan has a number that is not finite.")
    return statistics.median(times)


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="auto", help="device of the networks")
    parser.add_argument("--denoisers", nargs="+", default=["mlp", "unet"], help="denoisers by name")
    parser.add_argument("--n-envs", type=int, nargs="+", default=[1, 16, 64], help="numbers of environments")
    parser.add_argument("--n-steps", type=int, default=16, help="number of denoising steps")
    parser.add_argument("--rounds", type=int, default=5, help="number of measured rounds")
    parser.add_argument("--csv", type=Path, help="file for the table")
    args = parser.parse_args()
    device = resolve_device(args.device)
    data, rows = random_data(), []
    print("".join(f"{name:>14}" for name in COLUMNS))
    for denoiser in args.denoisers:
        policy = make_planner(data, denoiser, device, n_steps=args.n_steps)
        for n_envs in args.n_envs:
            for precision in ("float32", "bf16"):
                seconds = measure_plan(policy, n_envs, precision == "bf16", args.rounds)
                rates = [f"{1000 * seconds:.2f}", f"{n_envs / seconds:.1f}"]
                rows.append([device.type, denoiser, precision, str(n_envs), *rates])
                print("".join(f"{cell:>14}" for cell in rows[-1]), flush=True)
    if args.csv:
        write_csv(args.csv, COLUMNS, rows)


if __name__ == "__main__":
    main()
