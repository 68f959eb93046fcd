"""Shift of samples by guidance, as a fraction of the exact shift.

    OMP_NUM_THREADS=1 python -m benchmarks.diffusion.guidance

Windows of 16 steps are normal with a known covariance S, and the denoiser is exact.  The value is the sum of
all entries, so the guided distribution p(x) exp(J) has the mean S 1.  Each row is the shift that a sampler
achieves, projected on the exact one and divided by it: 1 is exact.  The denoiser and the value are linear and
guided and plain samples share their noise, so the fraction has no sampling error.  "trained" is a denoiser
network after 3,000 updates on 100,000 windows of standard deviation 0.5; its slope is 0.1.
`--report` writes the page from the csv file only.
"""

from pathlib import Path

import torch
from tqdm import tqdm

from benchmarks.diffusion.gaussians import WINDOWS, GaussianWindows
from benchmarks.tables import make_parser, markdown, read_csv, replace_section, write_csv
from rlpriors.diffusion import (
    SAMPLERS,
    DiffusionProcess,
    GuidanceSettings,
    NoiseSchedule,
    denoising_loss,
    sample,
)
from rlpriors.networks import build_denoiser
from rlpriors.types import Denoiser

__all__ = ["COLUMNS", "RESULTS", "fractions", "report"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "diffusion_guidance.csv"
PAGE = ROOT / "docs" / "results" / "diffusion.md"
COLUMNS = ["denoiser", "windows", "std", "space", "sampler", "steps", "entry", "fraction"]
SPACES = ("noisy", "clean", "posterior")
STDS = (0.5, 0.3)
N_STEPS = 8


def fractions(
    windows: GaussianWindows,
    denoiser: Denoiser,
    process: DiffusionProcess,
    *,
    space: str,
    sampler: str,
    n_samples: int = 4,
    slope: float = 1.0,
) -> list[float]:
    """Return the fraction of the exact shift that each entry of a time step achieves."""
    means = []
    for weight in (1.0, 0.0):
        generator = torch.Generator().manual_seed(0)
        guidance = GuidanceSettings(weight=weight, space=space, clip=None)  # type: ignore[arg-type]
        drawn = sample(
            process,
            denoiser,
            torch.randn(n_samples, *windows.shape, generator=generator),
            n_steps=N_STEPS,
            sampler=sampler,
            value=lambda x: slope * x.sum((1, 2)),
            guidance=guidance,
            clip=None,
            generator=generator,
        )
        means.append(drawn.mean(0))
    exact = windows.tilted_mean(slope * torch.ones(windows.shape))
    shift = means[0] - means[1]
    fraction: list[float] = ((shift * exact).sum(0) / (exact * exact).sum(0)).tolist()
    return fraction


def train(windows: GaussianWindows, process: DiffusionProcess, n_updates: int) -> Denoiser:
    """Return a small network trained on draws of the windows."""
    horizon, dim = windows.shape
    generator = torch.Generator().manual_seed(0)
    factor = torch.linalg.cholesky(windows.covariance)
    data = torch.randn(100_000, horizon * dim, generator=generator) @ factor.T
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = build_denoiser("mlp", horizon, dim, width=128, blocks=2)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_updates)
    for _ in tqdm(range(n_updates), desc="denoiser", unit="update", leave=False):
        rows = torch.randint(len(data), (128,), generator=generator)
        x = data[rows].reshape(128, horizon, dim)
        t = torch.randint(process.schedule.num_train_timesteps, (128,), generator=generator)
        noise = torch.randn(x.shape, generator=generator)
        optimizer.zero_grad()
        denoising_loss(process, network, x, t=t, noise=noise).backward()
        optimizer.step()
        schedule.step()
    return network.requires_grad_(False)


def measure(n_updates: int) -> list[list[str]]:
    """Return the rows of the csv file."""
    process, rows = DiffusionProcess(NoiseSchedule(50)), []
    for name in WINDOWS:
        for std in STDS:
            windows = WINDOWS[name].scaled(std)
            kinds: dict[str, tuple[Denoiser, int, float]] = {"exact": (windows.denoiser(process), 4, 1.0)}
            if std == STDS[0]:
                kinds["trained"] = train(windows, process, n_updates), 1000, 0.1
            for kind, (denoiser, n_samples, slope) in kinds.items():
                for space in SPACES:
                    for sampler in SAMPLERS:
                        shifts = fractions(
                            windows,
                            denoiser,
                            process,
                            space=space,
                            sampler=sampler,
                            n_samples=n_samples,
                            slope=slope,
                        )
                        entries = ["slow", "fast"] if len(shifts) == 2 else ["all"]
                        start = [kind, name, str(std), space, sampler, str(N_STEPS)]
                        rows += [
                            [*start, entry, f"{shift:.3f}"]
                            for entry, shift in zip(entries, shifts, strict=True)
                        ]
    return rows


def report(rows: list[list[str]], page: Path) -> None:
    """Write the tables of the rows of the csv file into the page."""
    for kind in ("exact", "trained"):
        table = [["windows", "std", "entries", "space", "ddim", "ddpm", "heun", "dpm++2m"]]
        cells = {(*row[:5], row[6]): float(row[7]) for row in rows}
        for name in WINDOWS:
            for std in map(str, STDS if kind == "exact" else STDS[:1]):
                for entry in ("slow", "fast") if name == "mixed" else ("all",):
                    for space in SPACES:
                        line = [name, std, entry, f'"{space}"']
                        for sampler in table[0][4:]:
                            line.append(f"{cells[kind, name, std, space, sampler, entry]:.2f}")
                        table.append(line)
        replace_section(page, f"guidance, {kind}", markdown(table, 4))


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--updates", type=int, default=3000, help="number of updates of each network")
    parser.add_argument("--report", action="store_true", help="write the page from the csv file only")
    args = parser.parse_args()
    if not args.report:
        write_csv(RESULTS, COLUMNS, measure(args.updates))
    rows = read_csv(RESULTS)
    for row in [COLUMNS, *rows]:
        print("".join(f"{cell:>13}" for cell in row))
    report(rows, PAGE)


if __name__ == "__main__":
    main()
