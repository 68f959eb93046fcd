"""Score policies against cloning: goals, few denoising steps, two ways, a hidden phase.

    python -m benchmarks.policies.run --envs detour phase --seeds 0 1 2 3 4
    python -m benchmarks.policies.run --envs umaze ring --seeds 0 1 2 3 4
    python -m benchmarks.policies.run --envs fetchpush --seeds 0 1 2 3 4
    python -m benchmarks.policies.run --envs speed --seeds 0
    python -m benchmarks.policies.run --report

- `umaze`, `ring`: PointMaze with the episodes of a scripted walker between random places, and new places as
  goals.  `success` is the fraction of goals that are reached, `success-far` that of goals far from the start
  and `steps` the mean number of steps, with the whole episode where the goal is missed.
- `fetchpush`: a robot arm pushes a block, with demonstrations of a scripted controller, and new goals.
  `success` is the fraction of goals within 5 cm of the block after 50 steps, `success-any` that at any time,
  and `cm` the last distance.
- `detour`: demonstrations pass an obstacle on either side.  `above` and `below` are the fractions of episodes
  that reach the goal on each side.
- `phase`: the right action depends on a phase that single observations hardly show.  `accuracy` is the
  fraction of right actions, `above-0.9` that of episodes with an accuracy above 0.9.
- `speed`: milliseconds of an action by the number of steps, and updates per second with cached embeddings.

Each environment, method, number of demonstrations and seed is a cell.  The csv `results/policies.csv` holds
its values: env, method, demos, seed, metric, value.  A finished cell is skipped when the command runs again;
an interrupted training continues from its checkpoint.  Settings were chosen on seeds 100 to 102.

`--report` prints the tables and rewrites those of `docs/results/policies.md`.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

from benchmarks.policies.cells import COLUMNS, METHODS, Budget, Cell, run_cell
from benchmarks.policies.report import report
from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.storage.atomic import write_text_atomically

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "policies.csv"
PAGE = ROOT / "docs" / "results" / "policies.md"
RUNS = Path("runs") / "policies"


def run_cells(cells: Iterable[Cell], runs: Path) -> None:
    """Run the cells whose files do not exist, one after the other."""
    runs.mkdir(parents=True, exist_ok=True)
    for cell in cells:
        if not (runs / cell.file).exists():
            values = run_cell(cell, runs)
            content = {"env": cell.env, "demos": cell.n_demos, "seed": cell.seed, "values": values}
            write_text_atomically(runs / cell.file, json.dumps(content) + "\n")
            numbers = ", ".join(f"{method} {metric} {value:.3f}" for method, metric, value in values)
            print(f"{cell.env} seed {cell.seed}: {numbers}", flush=True)


def collect_results(runs: Path, results: Path) -> None:
    """Add the values of finished cells to the csv; rows of the same cell and metric are replaced."""
    rows = {tuple(row[:5]): row for row in read_csv(results)}
    for file in sorted(runs.glob("*.json")):
        content = json.loads(file.read_text())
        for method, metric, value in content["values"]:
            key = (content["env"], method, str(content["demos"]), str(content["seed"]), metric)
            rows[key] = [*key, f"{value:.6g}"]
    write_csv(results, COLUMNS, [rows[key] for key in sorted(rows)])


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    every = list(dict.fromkeys(method for methods in METHODS.values() for method in methods))
    parser.add_argument("--envs", nargs="+", choices=list(METHODS), default=["detour"], help="environments")
    parser.add_argument("--methods", nargs="+", choices=every, default=every, help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="random seeds")
    parser.add_argument("--demos", type=int, default=0, help="demonstrations; 0 for the default of each one")
    parser.add_argument(
        "--updates", type=int, default=Budget().updates, help="updates in a maze and of pushing"
    )
    parser.add_argument("--small-updates", type=int, default=Budget().small_updates, help="updates elsewhere")
    parser.add_argument("--n-episodes", type=int, default=Budget().n_episodes, help="episodes to evaluate")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the finished cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the values")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    budget = Budget(args.updates, args.small_updates, args.n_episodes)
    cells = [
        Cell(env, method, args.demos, seed, budget)
        for seed in args.seeds
        for env in args.envs
        for method in METHODS[env]
        if method in args.methods
    ]
    run_cells(cells, args.runs)
    collect_results(args.runs, args.results)


if __name__ == "__main__":
    main()
