"""Time of one training step and one forward pass of each denoiser on this machine.

    OMP_NUM_THREADS=1 python -m benchmarks.speed.denoisers

Inputs are 128 windows of 32 time steps with 6 numbers each; networks have their default sizes.  A training
step is the squared error, its gradient and one step of AdamW.  A forward pass runs without gradients.  The
denoisers take turns in every round, so that other load on the machine slows all of them equally.  The table
shows medians over rounds; ratios to "mlp" are medians of the ratio in each round.  It also goes to
`results/denoisers_<device>.csv`.
"""

import statistics
import time
from collections.abc import Callable
from pathlib import Path

import torch

from benchmarks.tables import make_parser, write_csv
from rlpriors.device import resolve_device
from rlpriors.networks import DENOISERS, build_denoiser

HORIZON, DIM, BATCH = 32, 6, 128
RESULTS = Path(__file__).parents[1] / "results"
COLUMNS = ["denoiser", "parameters", "step_ms", "step_ratio", "forward_ms", "forward_ratio"]

Job = Callable[[], None]


def make_jobs(name: str, device: torch.device) -> tuple[int, Job, Job]:
    """Return the number of parameters, a training step and a forward pass of a denoiser."""
    network = build_denoiser(name, HORIZON, DIM).to(device)
    optimizer = torch.optim.AdamW(network.parameters())
    generator = torch.Generator().manual_seed(0)
    x, target = (torch.randn(BATCH, HORIZON, DIM, generator=generator).to(device) for _ in range(2))
    t = torch.randint(50, (BATCH,), generator=generator).to(device)

    def step() -> None:
        optimizer.zero_grad()
        (network(x, t) - target).square().mean().backward()
        optimizer.step()

    def forward() -> None:
        with torch.no_grad():
            network(x, t)

    return sum(p.numel() for p in network.parameters()), step, forward


def synchronize(device: torch.device) -> None:
    """Wait until all work on the device is done."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(job: Job, repeats: int, device: torch.device) -> float:
    """Return the mean time of one call."""
    synchronize(device)
    start = time.perf_counter()
    for _ in range(repeats):
        job()
    synchronize(device)
    return 1e3 * (time.perf_counter() - start) / repeats


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--device", default="auto", help="device of the networks")
    parser.add_argument("--rounds", type=int, default=10, help="number of measured rounds")
    parser.add_argument("--repeats", type=int, default=3, help="number of calls in each round")
    args = parser.parse_args()
    device = resolve_device(args.device)

    entries = {name: make_jobs(name, device) for name in DENOISERS}
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in entries}
    for round_ in range(args.rounds + 1):
        for name, (_, step, forward) in entries.items():
            measured = [milliseconds(job, args.repeats, device) for job in (step, forward)]
            if round_:  # the first round warms up
                for series, value in zip(times[name], measured, strict=True):
                    series.append(value)

    rows = []
    for name, (parameters, *_) in entries.items():
        cells = []
        for series, reference in zip(times[name], times["mlp"], strict=True):
            ratio = statistics.median(a / b for a, b in zip(series, reference, strict=True))
            cells += [f"{statistics.median(series):.2f}", f"{ratio:.1f}"]
        rows.append([name, str(parameters), *cells])

    print(f"{device.type}, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for row in [COLUMNS, *rows]:
        print("".join(f"{cell:>14}" for cell in row))
    write_csv(RESULTS / f"denoisers_{device.type}.csv", COLUMNS, rows)


if __name__ == "__main__":
    main()
