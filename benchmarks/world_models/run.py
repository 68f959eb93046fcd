"""Ranking of policies in a learned world: diverse against expert data, and a baseline without a world.

    python -m benchmarks.world_models.run                         # 5 seeds
    python -m benchmarks.world_models.run --envs pendulum
    python -m benchmarks.world_models.run --envs catch-frames     # a world of features of frames
    python -m benchmarks.world_models.run --report

Each cell records data of the expert, with growing fractions of random actions (`diverse`) or without
(`expert`), and trains a world on them.  Then 12 policies are run in the simulator and in the world, which
draws its start states from those of the simulator, and both rankings are compared.  The baseline ranks the
policies by the squared error of their actions to those of the same data.

In `catch-frames`, observations are features of a frozen encoder, and the reward in the world is learned from
the rewards of the data.

A finished cell is a file in `runs/world_models/` and rows of `results/world_models.csv` (env, data, method,
seed, metric, value).  Files are skipped when the command runs again, and an interrupted training continues.
`--quick` runs tiny cells in `runs/world_models-quick/`, and writes no results.

`--report` adds the finished cells to the csv file, prints the tables, and rewrites those of
`docs/results/world_models.md`: means with 95 % bootstrap intervals over seeds.
"""

import os
from pathlib import Path

from benchmarks.tables import make_parser, read_csv
from benchmarks.world_models.cells import DATA, Budget, Cell, collect_results, run_cells
from benchmarks.world_models.report import report
from benchmarks.world_models.tasks import TASKS

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "world_models.csv"
PAGE = ROOT / "docs" / "results" / "world_models.md"
RUNS, QUICK_RUNS = Path("runs") / "world_models", Path("runs") / "world_models-quick"
BUDGET, QUICK_BUDGET = Budget(), Budget(n_steps=400, updates=40, n_episodes=4)


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=list(TASKS), help="environments")
    parser.add_argument("--data", nargs="+", choices=DATA, default=list(DATA), help="kinds of data")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)), help="random seeds")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/world_models")
    parser.add_argument("--quick", action="store_true", help="tiny cells, without results")
    parser.add_argument("--report", action="store_true", help="write csv and tables, and run nothing")
    args = parser.parse_args()
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    if args.report:
        collect_results(runs, RESULTS, BUDGET)
        report(read_csv(RESULTS), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    budget = QUICK_BUDGET if args.quick else BUDGET
    run_cells(
        [Cell(env, data, seed, budget) for seed in args.seeds for env in args.envs for data in args.data],
        runs,
    )
    if not args.quick:
        collect_results(runs, RESULTS, BUDGET)


if __name__ == "__main__":
    main()
