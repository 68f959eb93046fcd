"""Verdicts of `rlpriors learn-reward` on well-learned and on deliberately spoiled rewards.

    python -m benchmarks.own_data.run --seeds 0 1 2 3
    python -m benchmarks.verdicts.run
    python -m benchmarks.verdicts.run --report

The well-learned rewards are those of `benchmarks.own_data`; cells without its folders are left out.  A
spoiled reward has demonstrations in other units or with shuffled actions, data without the demonstrated
behavior, 30 updates, or is replaced after its training by one that is flat around the goal or pays for going
past it (`spoil.py`).
The command is not informed of any of this.  A hit is a verdict "good" for a well-learned reward, and another
one for a spoiled reward.

The csv `results/verdicts.csv` holds env, seed, spoil, stage, check, level.  A finished cell is skipped when
the command runs again.  `--report` prints the tables and rewrites those of `docs/results/own_data.md`.
"""

import json
from collections.abc import Container
from pathlib import Path

from benchmarks.own_data.cells import FILE
from benchmarks.own_data.environments import FIRST_TASKS
from benchmarks.own_data.run import PAGE, cell_folder
from benchmarks.own_data.run import RUNS as GOOD_RUNS
from benchmarks.tables import make_parser, read_csv, write_csv
from benchmarks.verdicts.cells import run_cell
from benchmarks.verdicts.plan import GOOD, SPOILED
from benchmarks.verdicts.report import COLUMNS, report
from benchmarks.verdicts.spoil import SPOILS

__all__ = ["RESULTS", "main", "run_cells"]

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "verdicts.csv"
RUNS = Path("runs") / "verdicts"


def run_cells(good_runs: Path, runs: Path, results: Path, spoils: Container[str]) -> None:
    """Add the verdicts of well-learned rewards to the csv, then those of spoiled ones, which are run.

    Args:
        good_runs: folder of the cells of `benchmarks.own_data`.
        runs: folder of the spoiled cells.
        results: the csv.
        spoils: ways to spoil; cells of other ones are left out.
    """
    rows = read_csv(results)
    finished = {tuple(row[:3]) for row in rows}
    for cell in (*GOOD, *SPOILED):
        key = (cell.env, str(cell.seed), cell.spoil)
        if key in finished or (cell.spoil and cell.spoil not in spoils):
            continue
        good = cell_folder(good_runs, cell.env, cell.seed)
        if (not cell.spoil or SPOILS[cell.spoil].reward is not None) and not (good / FILE).exists():
            print(
                f"{' '.join(key)}: left out, as {good} is missing: run benchmarks.own_data first", flush=True
            )
            continue
        if cell.spoil:
            folder = runs / f"{cell.env}-seed{cell.seed}-{cell.spoil}"
            content = run_cell(FIRST_TASKS[cell.env], cell, good, folder)
        else:
            content = {"stage": "all", **json.loads((good / FILE).read_text())}
        rows += [[*key, content["stage"], check, level] for check, level in content["levels"].items()]
        write_csv(results, COLUMNS, rows)
        failed = {check: level for check, level in content["levels"].items() if level != "good"}
        print(f"{' '.join(key)}: {failed or 'good'}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--good-runs", type=Path, default=GOOD_RUNS, help="folder of benchmarks.own_data")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the spoiled rewards")
    parser.add_argument("--results", type=Path, default=RESULTS, help="csv of the verdicts")
    parser.add_argument("--spoils", nargs="*", choices=SPOILS, default=list(SPOILS), help="ways to spoil")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    run_cells(args.good_runs, args.runs, args.results, args.spoils)


if __name__ == "__main__":
    main()
