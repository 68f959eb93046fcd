"""Spread, distance and time of the samplers.

    OMP_NUM_THREADS=1 python -m benchmarks.diffusion.samplers

"std": standard deviation of samples, divided by that of the data, for independent Gaussian entries of
standard deviation 0.25 and the exact denoiser.  "distance": sliced Wasserstein-1 distance of 20,000 samples
to 20,000 points of eight narrow Gaussians on a circle of radius 0.7, with the exact denoiser.
"distance_trained": the same with a network of 4,000 updates.  The row "data" is the distance of two sets of
points.  "ms": time of 64 windows of 32 steps and 6 entries, network "mlp"; median of rounds in
which the samplers take turns.  `--report` writes the page from the csv file only.
"""

import statistics
import time
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from benchmarks.diffusion.gaussians import WINDOWS
from benchmarks.diffusion.mixture import RING, sliced_distance
from benchmarks.tables import make_parser, markdown, read_csv, replace_section, write_csv
from rlpriors.diffusion import SAMPLERS, DiffusionProcess, NoiseSchedule, denoising_loss, sample
from rlpriors.networks import build_denoiser
from rlpriors.types import Denoiser

__all__ = ["COLUMNS", "RESULTS", "kept_std", "report"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "diffusion_samplers.csv"
PAGE = ROOT / "docs" / "results" / "diffusion.md"
COLUMNS = ["sampler", "steps", "std", "distance", "distance_trained", "ms"]
STEPS = (4, 8, 16, 32)
N_POINTS = 20_000


def draw(
    process: DiffusionProcess, denoiser: Denoiser, sampler: str, n_steps: int, shape: tuple[int, ...]
) -> Tensor:
    """Return samples of a fixed seed, with the planner's bound of 1 on each entry."""
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(shape, generator=generator)
    with torch.no_grad():
        return sample(process, denoiser, noise, n_steps=n_steps, sampler=sampler, generator=generator)


def kept_std(process: DiffusionProcess, sampler: str, n_steps: int, std: float = 0.25) -> float:
    """Return the standard deviation of samples divided by that of the data."""
    denoiser = WINDOWS["independent"].scaled(std).denoiser(process)
    return draw(process, denoiser, sampler, n_steps, (N_POINTS, 16, 1)).std().item() / std


def train(process: DiffusionProcess, n_updates: int) -> Denoiser:
    """Return a small network trained on points of the ring."""
    generator = torch.Generator().manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_denoiser("mlp", 1, 2, width=128, blocks=3)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_updates)
    for _ in tqdm(range(n_updates), desc="denoiser", unit="update", leave=False):
        x = RING.draw(128, generator)
        t = torch.randint(process.schedule.num_train_timesteps, (128,), generator=generator)
        noise = torch.randn(x.shape, generator=generator)
        optimizer.zero_grad()
        denoising_loss(process, network, x, t=t, noise=noise).backward()
        optimizer.step()
        schedule.step()
    return network.requires_grad_(False)


def times(process: DiffusionProcess, n_rounds: int) -> dict[tuple[str, int], float]:
    """Return the milliseconds of a sample for each sampler and number of steps."""
    network = build_denoiser("mlp", 32, 6)
    measured: dict[tuple[str, int], list[float]] = {(s, n): [] for s in SAMPLERS for n in STEPS}
    for number in tqdm(range(n_rounds + 1), desc="time", unit="round", leave=False):
        for (sampler, n_steps), series in measured.items():
            start = time.perf_counter()
            draw(process, network, sampler, n_steps, (64, 32, 6))
            if number:  # the first round warms up
                series.append(1e3 * (time.perf_counter() - start))
    return {key: statistics.median(series) for key, series in measured.items()}


def measure(n_updates: int, n_rounds: int) -> list[list[str]]:
    """Return the rows of the csv file."""
    process = DiffusionProcess(NoiseSchedule(50))
    points = RING.draw(N_POINTS, torch.Generator().manual_seed(1))
    again = RING.draw(N_POINTS, torch.Generator().manual_seed(2))
    rows = [["data", "", "1.000", f"{sliced_distance(points, again):.4f}", "", ""]]
    exact, trained, cost = RING.denoiser(process), train(process, n_updates), times(process, n_rounds)
    for sampler in SAMPLERS:
        for n_steps in STEPS:
            shape = (N_POINTS, 1, 2)
            distances = [
                f"{sliced_distance(draw(process, denoiser, sampler, n_steps, shape), points):.4f}"
                for denoiser in (exact, trained)
            ]
            std = f"{kept_std(process, sampler, n_steps):.3f}"
            rows.append([sampler, str(n_steps), std, *distances, f"{cost[sampler, n_steps]:.1f}"])
    return rows


def report(rows: list[list[str]], page: Path) -> None:
    """Write the table of the rows of the csv file into the page."""
    header = ["sampler", "steps", "std kept", "distance", "distance, trained", "ms"]
    lines = [[row[0], *(f"{float(cell):g}" if cell else "" for cell in row[1:])] for row in rows]
    replace_section(page, "samplers", markdown([header, *lines]))


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--updates", type=int, default=4000, help="number of updates of the network")
    parser.add_argument("--rounds", type=int, default=7, help="number of measured rounds")
    parser.add_argument("--report", action="store_true", help="write the page from the csv file only")
    args = parser.parse_args()
    if not args.report:
        write_csv(RESULTS, COLUMNS, measure(args.updates, args.rounds))
    rows = read_csv(RESULTS)
    for row in [COLUMNS, *rows]:
        print("".join(f"{cell:>18}" for cell in row))
    report(rows, PAGE)


if __name__ == "__main__":
    main()
