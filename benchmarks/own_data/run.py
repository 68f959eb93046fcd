"""A reward and a policy from a user's own environment and demonstrations, by one command.

    python -m benchmarks.own_data.run --seeds 0 1 2
    python -m benchmarks.own_data.run --report

The environments (`tasks.py`) were invented after the command and its defaults.  Each has a scripted
expert, which records 20 demonstrations in a .npz file.  A cell is `rlpriors learn-reward --env ... --demos
...` at its defaults: it records random actions, learns a prior and a reward, and trains a policy on the
reward alone.  The true return of this policy is compared with those of random actions (0) and of the
demonstrations (1).

The csv `results/own_data.csv` holds env, seed, metric, value.  `cpu_seconds` is CPU time of the whole
command, which runs on one core.  A finished cell is skipped when the command runs again.  `--report` prints
the tables and rewrites those of `docs/results/own_data.md`.
"""

from collections.abc import Mapping
from pathlib import Path

from benchmarks.own_data.cells import Task, run_cell
from benchmarks.own_data.report import COLUMNS, report
from benchmarks.own_data.tasks import TASKS
from benchmarks.tables import make_parser, read_csv, write_csv

__all__ = ["PAGE", "RESULTS", "RUNS", "cell_folder", "main", "report_page", "run_cells"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "own_data.csv"
PAGE = ROOT / "docs" / "results" / "own_data.md"
RUNS = Path("runs") / "own_data"


def cell_folder(runs: Path, env: str, seed: int) -> Path:
    """Return the folder of a cell."""
    return runs / f"{env}-seed{seed}"


def run_cells(tasks: Mapping[str, Task], seeds: list[int], runs: Path, results: Path) -> None:
    """Run the cells that the csv does not hold, and add each to it."""
    rows = read_csv(results)
    finished = {(row[0], row[1]) for row in rows}
    for seed in seeds:
        for env, task in tasks.items():
            if (env, str(seed)) in finished:
                continue
            numbers = run_cell(task, seed, cell_folder(runs, env, seed))["numbers"]
            rows += [[env, str(seed), metric, f"{value:.6g}"] for metric, value in numbers.items()]
            write_csv(results, COLUMNS, sorted(rows, key=lambda row: (row[0], row[1])))
            print(f"{env} seed {seed}: {numbers['fraction']:.2f}, {numbers['cpu_seconds']:.0f} s", flush=True)


def report_page(page: Path = PAGE, results: Path = RESULTS) -> None:
    """Write the tables to the page."""
    report(read_csv(results), page, {env: task.title for env, task in TASKS.items()})


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=list(TASKS), help="environments")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the results")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report_page(PAGE, args.results)
        return
    run_cells({env: TASKS[env] for env in args.envs}, args.seeds, args.runs, args.results)


if __name__ == "__main__":
    main()
