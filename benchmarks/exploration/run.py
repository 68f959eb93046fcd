"""Bonuses for exploration in the reward and in the choice of actions, against epsilon-greedy DQN.

    python -m benchmarks.exploration.run                   # deep sea, 10 seeds
    python -m benchmarks.exploration.run --envs freeway    # an Atari game, which needs ale-py
    python -m benchmarks.exploration.run --report

All methods are the same DQN for the same number of steps and updates (`tasks.py`).  Each method has one
setting: epsilon of epsilon-greedy, and the factor of each bonus.  It was chosen between two values on the
seeds 100 to 102 with half of the steps (`--development`, which writes the trials to
`results/exploration_trials.csv`).  A seed fixes deep sea's actions, the initial weights and the random
numbers.

A finished cell is a file in `runs/exploration/` and rows of `results/exploration.csv` (env, method, seed,
metric, value).  Files are skipped when the command runs again.  `--quick` trains for some episodes each, in
`runs/exploration-quick/`, and writes no results.

`--report` adds the finished cells to the csv files, prints the tables, and rewrites those of
`docs/results/exploration.md`: means with 95 % bootstrap intervals over seeds.
"""

import os
from pathlib import Path

from benchmarks.exploration.cells import (
    DEVELOPMENT_SEED,
    Cell,
    chosen_cells,
    chosen_values,
    collect_results,
    run_cells,
)
from benchmarks.exploration.methods import METHODS
from benchmarks.exploration.report import choice_table, report
from benchmarks.exploration.tasks import TASKS
from benchmarks.tables import make_parser, read_csv

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "exploration.csv"
TRIALS = ROOT / "benchmarks" / "results" / "exploration_trials.csv"
PAGE = ROOT / "docs" / "results" / "exploration.md"
RUNS, QUICK_RUNS = Path("runs") / "exploration", Path("runs") / "exploration-quick"
DEVELOPMENT_SEEDS = (100, 101, 102)
QUICK_STEPS = 200


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=["deep-sea"], help="environments")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(10)), help="random seeds")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/exploration")
    parser.add_argument("--quick", action="store_true", help="some episodes of each cell, without results")
    parser.add_argument(
        "--development", action="store_true", help="try all values of the settings on the seeds 100 to 102"
    )
    parser.add_argument("--report", action="store_true", help="write csv and tables, and run nothing")
    args = parser.parse_args()
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    if args.report:
        collect_results(runs, RESULTS, TRIALS)
        report(read_csv(RESULTS), PAGE, read_csv(TRIALS))
        return
    if max(args.seeds) >= DEVELOPMENT_SEED:
        parser.error("settings were chosen on seeds from 100 on; give other seeds")
    os.environ["OMP_NUM_THREADS"] = "1"
    steps = QUICK_STEPS if args.quick else None
    if args.development:
        for env in args.envs:
            cells = [
                Cell(env, name, value, seed)
                for seed in DEVELOPMENT_SEEDS
                for name in args.methods
                for value in METHODS[name].values
            ]
            run_cells(cells, runs, steps or TASKS[env].training.env_steps // 2)
    else:
        chosen = chosen_values(read_csv(TRIALS))
        run_cells(chosen_cells(args.envs, args.methods, args.seeds, chosen), runs, steps)
    if not args.quick:
        collect_results(runs, RESULTS, TRIALS)
        print(choice_table(read_csv(TRIALS)))


if __name__ == "__main__":
    main()
