"""Search of each method's settings on development seeds, with an equal number of trials.

    python -m benchmarks.irl.search --environments reacher umaze --methods gail drail --n-workers 2
    python -m benchmarks.irl.search --choose

The trials of a method are `KNOBS` in `methods/knobs.py`; each runs on the seeds 100 to 102.  The choice is
the trial with the largest mean of Spearman's correlation on the base coverage: with progress in mazes and
grid worlds, with the step reward elsewhere.  Methods without a reward are chosen by the return of their own
policy.  Finished trials are files in `runs/irl/` and are skipped when the command runs again.

All trials go to `results/irl_search.csv` (world, method, trial, knobs, seed, metric, value), the choices to
`results/irl_choices.csv` (world, method, knobs, metric, value), which `benchmarks.irl.run` reads.
"""

import json
import os
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.irl.cells import Cell, all_cells
from benchmarks.irl.environments.registry import ENVIRONMENTS
from benchmarks.irl.methods import KNOBS
from benchmarks.irl.methods.knobs import CHOICES
from benchmarks.irl.run import RUNS, run_cells
from benchmarks.tables import make_parser, read_csv, write_csv

RESULTS = CHOICES.with_name("irl_search.csv")
SEEDS = (100, 101, 102)
BY_PROGRESS = ("gridworld", "umaze", "ring", "large", "long-")
SEARCH_COLUMNS = ("world", "method", "trial", "knobs", "seed", "metric", "value")
CHOICE_COLUMNS = ("world", "method", "knobs", "metric", "value")


def trials(worlds: Sequence[str], methods: Sequence[str], quick: bool, seeds: Sequence[int]) -> list[Cell]:
    """Return a cell for each trial, ordered by cost."""
    cells = all_cells(worlds, seeds, ("main",), methods or tuple(KNOBS), quick)
    return [
        Cell(cell.world, cell.seed, cell.part, cell.method, cell.demos, trial)
        for cell in cells
        for trial in range(len(KNOBS.get(cell.method, ())))
    ]


def criterion(world: str, metrics: dict[str, float]) -> str | None:
    """Return the metric by which trials are compared, or None if a trial lacks it."""
    name = "progress_spearman" if world.startswith(BY_PROGRESS) else "step_spearman"
    return next((metric for metric in (name, "return") if metric in metrics), None)


def collect_trials(runs: Path, results: Path = RESULTS) -> list[list[str]]:
    """Add the finished trials to the csv and return its rows."""
    rows = {(*row[:3], row[4]): row for row in read_csv(results)}
    for file in sorted(runs.glob("*/seed1??/*_trial*.json")):
        world, seed = file.parts[-3], file.parts[-2].removeprefix("seed")
        name, _, trial = file.stem.rpartition("_trial")
        method = name.rsplit("-", 1)[0]
        metrics = json.loads(file.read_text())
        metric = criterion(world, metrics)
        if method not in KNOBS or metric is None:
            continue
        knobs = json.dumps(KNOBS[method][int(trial)])
        rows[world, method, trial, seed] = [
            *(world, method, trial, knobs, seed, metric, f"{metrics[metric]:.6g}")
        ]
    ordered = [rows[key] for key in sorted(rows)]
    write_csv(results, SEARCH_COLUMNS, ordered)
    return ordered


def choose(rows: Sequence[Sequence[str]]) -> list[list[str]]:
    """Return the best trial of each world and method: the first one of those with equal means."""
    values: dict[tuple[str, str], dict[tuple[int, str, str], list[float]]] = defaultdict(dict)
    for world, method, trial, knobs, _, metric, value in rows:
        values[world, method].setdefault((int(trial), knobs, metric), []).append(float(value))
    choices = []
    for (world, method), by_trial in sorted(values.items()):
        means = {key: float(np.mean(x)) for key, x in sorted(by_trial.items())}
        (_, knobs, metric), best = max(means.items(), key=lambda item: item[1])
        choices.append([world, method, knobs, metric, f"{best:.6g}"])
    return choices


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--environments", nargs="+", default=["reacher"], help=", ".join(ENVIRONMENTS))
    parser.add_argument("--methods", nargs="*", default=[], choices=tuple(KNOBS), help="methods to search")
    parser.add_argument("--seeds", nargs="+", type=int, default=SEEDS, choices=SEEDS, help="seeds to run")
    parser.add_argument("--n-workers", type=int, default=1, help="number of trials that run at a time")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the trials")
    parser.add_argument("--quick", action="store_true", help="a test of all parts; writes no results")
    parser.add_argument("--choose", action="store_true", help="write the choices and run nothing")
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        if not args.choose:
            cells = trials(args.environments, args.methods, args.quick, args.seeds)
            run_cells(
                [cell for cell in cells if not cell.file(args.runs).exists()],
                args.runs,
                args.quick,
                args.n_workers,
            )
    finally:
        if not args.quick:
            write_csv(CHOICES, CHOICE_COLUMNS, choose(collect_trials(args.runs)))


if __name__ == "__main__":
    main()
