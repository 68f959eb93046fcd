"""Zero-shot agents on goals and rewards that they were not trained for.

    pip install ogbench "gymnasium-robotics" "mujoco<3.12"
    python -m benchmarks.zero_shot.run
    python -m benchmarks.zero_shot.run --report

Each agent learns once from the episodes of a scripted walker between random places, whose rewards it does not
read.  Then it reaches goals, and follows rewards that it receives as functions: true ones, one that
`DiffusionIRL` learned from demonstrations, and one that was learned from comparisons.  References are random
actions, goal-conditioned cloning of the same data, and IQL, which is trained anew on each reward.

Each environment, method and seed is a cell.  The csv `results/zero_shot.csv` holds its values: env, features,
task, seed, metric, value.  Tasks are `goal` (success on random goals), `goal-opposite` (on those with a long
way) and `reward:<name>`.  The metric `normalized` is the return, 0 for random actions and 1 for IQL on the
same reward.  `true_normalized` is the true return with a learned reward, and 1 is IQL on the true reward.  A
finished cell is skipped when the command runs again; an interrupted training continues from its checkpoint.

`--report` prints the tables and rewrites those of `docs/results/zero_shot.md`.
"""

import os
from collections.abc import Iterable
from pathlib import Path

from benchmarks.cells import merge_rows, metric_rows, read_cells, write_cell
from benchmarks.tables import make_parser, read_csv, write_csv
from benchmarks.zero_shot.cells import COLUMNS, METHODS, Budget, Cell, run_cell
from benchmarks.zero_shot.report import NORMALIZED, normalized, report
from benchmarks.zero_shot.worlds import WORLDS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "zero_shot.csv"
PAGE = ROOT / "docs" / "results" / "zero_shot.md"
RUNS = Path("runs") / "zero_shot"


def run_cells(cells: Iterable[Cell], runs: Path, results: Path) -> None:
    """Run the cells whose files do not exist, one after the other, and add their values to the csv."""
    runs.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        if not (runs / cell.file).exists():
            values = run_cell(cell, runs)
            content = {"env": cell.env, "features": cell.method, "seed": cell.seed, "values": values}
            write_cell(runs / cell.file, content)
            numbers = ", ".join(f"{task} {value:.3f}" for task, _, value in values)
            print(f"{cell.env} {cell.method} seed {cell.seed}: {numbers}", flush=True)
        collect_results(runs, results)


def collect_results(runs: Path, results: Path) -> None:
    """Add the values of finished cells to the csv; rows of the same cell, task and metric are replaced."""
    rows = []
    for content in read_cells(runs):
        for task, metric, value in content["values"]:
            names = content["env"], content["features"], task, content["seed"]
            rows += metric_rows(names, {metric: value})
    found = merge_rows((row for row in read_csv(results) if row[4] not in NORMALIZED), rows)
    write_csv(results, COLUMNS, [*found, *normalized(found)])


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    worlds = list(WORLDS)
    parser.add_argument("--envs", nargs="+", choices=worlds, default=worlds, help="environments")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    for name, default in Budget._field_defaults.items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=default, help="see `Budget`")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the finished cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the values")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    budget = Budget(*(getattr(args, name) for name in Budget._fields))
    cells = [
        Cell(env, method, seed, budget) for seed in args.seeds for env in args.envs for method in args.methods
    ]
    run_cells(cells, args.runs, args.results)


if __name__ == "__main__":
    main()
