"""Self-prediction next to a distributional DQN: with it, without it, and without augmentation.

    python -m benchmarks.self_prediction.run                                  # Catch, 5 seeds
    python -m benchmarks.self_prediction.run --envs catch-84                  # in frames of Atari's size
    python -m benchmarks.self_prediction.run --envs pong --device cuda        # an Atari game; needs ale-py
    python -m benchmarks.self_prediction.run --report

All methods are the same agent, `SelfPredictiveC51`, for the same number of steps and updates (`tasks.py`):
SPR (`self-prediction`), the same without self-prediction (`augmentation`) and C51 alone (`plain`).
`--methods` also knows self-prediction without augmentation, with a moving average of the network for targets.

A finished cell is a file in `runs/self_prediction/` and rows of `results/self_prediction.csv` (env, method,
seed, metric, value).  Files are skipped when the command runs again.  `--quick` trains for some episodes
each, in `runs/self_prediction-quick/`, and writes no results.

`--report` adds the finished cells to the csv file, prints the tables, and rewrites those of
`docs/results/self_prediction.md`: means with 95 % bootstrap intervals over seeds.
"""

import os
from pathlib import Path

from benchmarks.self_prediction.cells import Cell, collect_results, run_cells
from benchmarks.self_prediction.report import report
from benchmarks.self_prediction.tasks import METHODS, TASKS
from benchmarks.tables import make_parser, read_csv

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "self_prediction.csv"
PAGE = ROOT / "docs" / "results" / "self_prediction.md"
RUNS, QUICK_RUNS = Path("runs") / "self_prediction", Path("runs") / "self_prediction-quick"
QUICK_STEPS = 80


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=["catch"], help="games")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS)[:3], help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=list(range(5)), help="random seeds")
    parser.add_argument("--device", default="cpu", help="device of the networks")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/self_prediction")
    parser.add_argument("--quick", action="store_true", help="some episodes of each cell, without results")
    parser.add_argument("--report", action="store_true", help="write csv and tables, and run nothing")
    args = parser.parse_args()
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    if args.report:
        collect_results(runs, RESULTS)
        report(read_csv(RESULTS), PAGE)
        return
    if args.device == "cpu":
        os.environ["OMP_NUM_THREADS"] = "1"
    cells = [
        Cell(env, method, seed, QUICK_STEPS if args.quick else TASKS[env].training.env_steps)
        for env in args.envs
        for seed in args.seeds
        for method in args.methods
    ]
    run_cells(cells, runs, args.device)
    if not args.quick:
        collect_results(runs, RESULTS)


if __name__ == "__main__":
    main()
