"""Does a learned representation help to imitate from pixels, beyond what augmentation does?

    python -m benchmarks.imitate --seeds 0 1 2 --workers 2
    python -m benchmarks.imitate --report

The table is that of EIRLI (arXiv 2205.07886): methods x {pretrain, joint} x {with, without augmentation
of the cloning's images}, and beside them cloning alone, with and without.  Each is a cell for each
environment and seed, in a process of its own.  A finished cell is a folder in `runs/imitate/` and a row
of `results/imitate.csv` (env, method, mode, augment, seed, return, normalized, seconds); both are
skipped when the command runs again, and a cell that was stopped goes on.  A folder that was made with
other settings is an error; after a change of `Budget` remove rows of the csv, too.  A seed has its own
demonstrations and its own random play, which all of its cells share.  `--quick` keeps its cells in
`runs/imitate-quick/`; it writes no results, and neither do cells that are kept elsewhere by `--runs`.

`--report` prints the tables and rewrites those of `docs/imitate.md`: mean and 95 % bootstrap interval of
the normalized return, 0 for random play and 1 for the demonstrations.  Where the demonstrations are worth
no more than random play, `normalized` is empty, and the table says how many such runs its mean leaves out.

Settings were chosen on seeds from 100 on, which are refused here unless `--development` is given.
"""

import argparse
import json
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, read_csv, replace, write_csv
from benchmarks.workers import processes
from rlpriors.envs.pixel_envs import PixelEnvSpec
from rlpriors.evaluation.intervals import bootstrap_interval
from rlpriors.scripts.demonstrate.run import demonstrate
from rlpriors.scripts.demonstrate.settings import DemonstrateSettings
from rlpriors.scripts.imitate.run import imitate, random_frames
from rlpriors.scripts.imitate.settings import ImitateSettings
from rlpriors.training.run_folder import check_settings

RESULTS = Path(__file__).parent / "results" / "imitate.csv"
RUNS, QUICK_RUNS = Path("runs") / "imitate", Path("runs") / "imitate-quick"
PAGE = Path(__file__).parents[1] / "docs" / "imitate.md"
COLUMNS = ("env", "method", "mode", "augment", "seed", "return", "normalized", "seconds")
# EIRLI's five, and two that came after.
METHODS = ("dynamics", "inverse-dynamics", "simclr", "temporal-cpc", "vae", "byol", "atc")
MODES = ("pretrain", "joint")
# EIRLI's without rotation, which hides how a pole leans, and without changes of color, which cost more than
# the network does.
AUGMENTATIONS = "translate+gaussian-blur"
CHEETAH = Path(__file__).parent / "data" / "halfcheetah-v5-expert.safetensors"


@dataclass(frozen=True)
class Budget:
    """What a cell may cost."""

    demos: int = 20
    noise: float = 0.1
    steps: int = 100
    random_steps: int = 1000
    updates: int = 600
    batch_size: int = 32
    representation_updates: int = 400
    representation_batch: int = 32
    episodes: int = 20


QUICK = Budget(2, 0.0, 20, 40, 4, 4, 2, 4, 2)

Cell = tuple[str, str, bool]
"""Method, mode, and whether the cloning's images are augmented."""


def cells(methods: Sequence[str]) -> list[Cell]:
    """The controls first: they say what all others are held against."""
    alone: list[Cell] = [("none", "scratch", augment) for augment in (True, False)]
    return alone + [(method, mode, a) for method in methods for mode in MODES for a in (True, False)]


def cell_folder(seed_folder: Path, cell: Cell) -> Path:
    """Where a cell's run is kept."""
    method, mode, augment = cell
    return seed_folder / f"{mode}-{method}-{'augmented' if augment else 'plain'}"


def prepare(env: str, seed: int, folder: Path, budget: Budget) -> None:
    """The seed's demonstrations and random play."""
    world = PixelEnvSpec(env, steps=budget.steps)
    recording = CHEETAH if world.name == "halfcheetah" else None
    settings = DemonstrateSettings(
        env,
        budget.demos,
        budget.steps,
        noise=0.0 if recording else budget.noise,
        seed=seed,
        recording=recording,
        random_episodes=budget.episodes,
    )
    told = folder / "demos" / "demonstrations.json"
    if not told.exists():
        demonstrate(settings, folder=folder / "demos", progress=False)
    check_settings(told.parent, json.loads(told.read_text())["settings"], settings)
    random_frames(world, budget.random_steps, folder / "random", 50_000 + seed)


def cell_settings(env: str, seed: int, cell: Cell, folder: Path, budget: Budget) -> ImitateSettings:
    """What a cell does."""
    method, mode, augment = cell
    return ImitateSettings(
        env,
        folder / "demos",
        mode=mode,
        method=method,
        augment=augment,
        augmentations=AUGMENTATIONS,
        steps=budget.steps,
        updates=budget.updates,
        checkpoint_every=max(1, budget.updates // 3),
        batch_size=budget.batch_size,
        representation_updates=budget.representation_updates,
        representation_batch=budget.representation_batch,
        frames=folder / "random",
        random_steps=budget.random_steps,
        episodes=budget.episodes,
        device="cpu",
        seed=seed,
    )


def run_cell(settings: ImitateSettings, run: Path) -> float:
    """One cell; returns seconds."""
    started = time.monotonic()
    imitate(settings, folder=run, resume=(run / "settings.json").exists())
    return time.monotonic() - started


def is_finished(run: Path, settings: ImitateSettings) -> bool:
    """Whether a cell has its results.

    Raises:
        ValueError: they are those of other settings.
    """
    if not (run / "results.json").exists():
        return False
    check_settings(run, json.loads((run / "settings.json").read_text()), settings)
    return True


def run_seed(env: str, seed: int, methods: tuple[str, ...], runs: Path, quick: bool) -> None:
    """All cells of an environment and a seed that are not yet done, each in a process of its own."""
    folder, budget = runs / env / f"seed{seed}", QUICK if quick else Budget()
    known = {tuple(row[:5]) for row in read_csv(RESULTS)} if runs == RUNS else set()
    todo = {
        cell_folder(folder, cell): cell_settings(env, seed, cell, folder, budget)
        for cell in cells(methods)
        if (env, cell[0], cell[1], yes(cell[2]), str(seed)) not in known
    }
    todo = {run: settings for run, settings in todo.items() if not is_finished(run, settings)}
    if todo:
        with processes(1) as process:
            process.submit(prepare, env, seed, folder, budget).result()
    for run, settings in todo.items():
        with processes(1) as process:
            seconds = process.submit(run_cell, settings, run).result()
        told = json.loads((run / "results.json").read_text())
        print(f"{env} seed {seed} {run.name}: {told['return']:.2f}, {seconds:.0f} s", flush=True)


def yes(augment: bool) -> str:
    return "yes" if augment else "no"


def collect(runs: Path, results: Path) -> None:
    """Put what the runs say into the csv, beside what is there already."""
    rows = {tuple(row[:5]): row[5:] for row in read_csv(RESULTS)}
    for file in sorted(runs.glob("*/seed*/*/results.json")):
        told = json.loads(file.read_text())
        if told["seed"] >= 100:
            continue  # development
        key = (told["env"], told["method"], told["mode"], yes(told["augment"]), str(told["seed"]))
        numbers = [told[name] for name in ("return", "normalized", "seconds")]
        rows[key] = ["" if number is None else f"{number:.6g}" for number in numbers]
    write_csv(results, COLUMNS, ([*key, *values] for key, values in sorted(rows.items())))


def table(rows: Iterable[Sequence[str]]) -> str:
    """Markdown of one environment: a line for each method and mode, columns with and without augmentation."""
    found: dict[tuple[str, str, str], list[str]] = {}
    for _, method, mode, augment, _, _, normalized, _ in rows:
        found.setdefault((mode, method, augment), []).append(normalized)
    order = {mode: place for place, mode in enumerate(("scratch", *MODES))}
    kinds = sorted({key[:2] for key in found}, key=lambda kind: (order[kind[0]], kind[1]))
    lines = [["mode", "method", "seeds", "augmented", "not augmented"]]
    for mode, method in kinds:
        both = [found.get((mode, method, augment), []) for augment in ("yes", "no")]
        name = "cloning alone" if mode == "scratch" else mode
        lines.append([name, method, str(max(map(len, both))), *map(interval, both)])
    return markdown(lines, 2)


def interval(cells: Sequence[str]) -> str:
    """Mean and interval; of one seed the value alone.  Empty cells are left out and counted."""
    values = np.array([float(cell) for cell in cells if cell])
    told = [f"{value:.2f}" for value in values]
    if len(values) > 1:
        told = [str(bootstrap_interval(values, np.random.default_rng(0), "mean"))]
    if len(values) < len(cells):
        told.append(f"without {len(cells) - len(values)}")
    return ", ".join(told)


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table of each environment, and put it between the page's marks for it."""
    for env in sorted({row[0] for row in rows}):
        made = table(row for row in rows if row[0] == env)
        print(f"\n## {env}\n\n{made}")
        replace(page, env, made)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--envs", nargs="+", default=["InvertedPendulum-v5"], help="also pong, HalfCheetah-v5, ..."
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--methods", nargs="*", default=METHODS, help="recipes; none for the controls alone")
    parser.add_argument("--workers", type=int, default=1, help="environments and seeds side by side")
    parser.add_argument("--runs", type=Path, help="where cells are kept, runs/imitate by default")
    parser.add_argument("--quick", action="store_true", help="to see that all runs; no results are written")
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="no runs: tables from the csv")
    args = parser.parse_args()
    if args.report:
        report(read_csv(RESULTS), PAGE)
        return
    if max(args.seeds) >= 100 and not args.development:
        parser.error("seeds from 100 on are those that settings were chosen on; add --development")
    os.environ["OMP_NUM_THREADS"] = "1"
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    jobs = [(env, seed, tuple(args.methods), runs, args.quick) for env in args.envs for seed in args.seeds]
    with ThreadPoolExecutor(args.workers) as pool:  # of threads that wait for processes
        for job in [pool.submit(run_seed, *job) for job in jobs]:
            job.result()
    if runs == RUNS:
        collect(runs, RESULTS)


if __name__ == "__main__":
    main()
