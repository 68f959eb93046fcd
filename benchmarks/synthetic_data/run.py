"""Offline reinforcement learning on real data, and on synthetic trajectories toward a policy.

    python -m benchmarks.synthetic_data.run                   # 3 seeds
    python -m benchmarks.synthetic_data.run --envs pendulum --seeds 3 4
    python -m benchmarks.synthetic_data.run --report

A cell learns a policy by TD3+BC or IQL ("td3-bc/real", "iql/real") from recorded episodes of mixed quality.
Then a diffusion prior of the same episodes samples trajectories whose actions follow this policy
(policy-guided diffusion, arXiv 2404.06356).  The number in a method's name is the strength of the guidance,
and 0 samples the prior: "td3-bc/0.3".  The same algorithm learns from real and synthetic trajectories
together, with the same number of updates.  "td3-bc-40/real" has four times the weight of the action values,
which weakens the pull toward recorded actions as guided data do.  "behavior" is the return of the recorded
episodes, and of a scripted expert.

Synthetic actions are compared with the target policy (`log_likelihood`), and synthetic next observations
with those of the simulator (`dynamics_error`), at all strengths.  Policies are trained at some of them, which
were chosen on seed 100.

A finished cell is a file in `runs/synthetic_data/` and rows of `results/synthetic_data.csv` (env, method,
seed, metric, value).  Files are skipped when the command runs again, and an interrupted training continues.
`--quick` runs tiny cells in `runs/synthetic_data-quick/`, and writes no results.

`--report` adds the finished cells to the csv file, prints the tables, and rewrites those of
`docs/results/synthetic_data.md`: means with 95 % bootstrap intervals over seeds.
"""

import os
from collections.abc import Sequence
from pathlib import Path

from benchmarks.synthetic_data.cells import METHODS, Budget, Cell, collect_results, run_cells
from benchmarks.synthetic_data.report import report
from benchmarks.synthetic_data.tasks import TASKS
from benchmarks.tables import make_parser, read_csv

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "synthetic_data.csv"
PAGE = ROOT / "docs" / "results" / "synthetic_data.md"
RUNS, QUICK_RUNS = Path("runs") / "synthetic_data", Path("runs") / "synthetic_data-quick"
BUDGET = Budget()
QUICK_BUDGET = Budget(prior_updates=20, policy_updates=20, n_trajectories=16, n_checked=50)


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=list(TASKS), help="environments")
    parser.add_argument("--methods", nargs="+", choices=METHODS, default=list(METHODS), help="methods")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/synthetic_data")
    parser.add_argument("--quick", action="store_true", help="tiny cells, without results")
    parser.add_argument("--report", action="store_true", help="write csv and tables, and run nothing")
    args = parser.parse_args(arguments)
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    if args.report:
        collect_results(runs, RESULTS, BUDGET)
        report(read_csv(RESULTS), PAGE)
        return
    os.environ["OMP_NUM_THREADS"] = "1"
    budget = QUICK_BUDGET if args.quick else BUDGET
    cells = [
        Cell(env, method, seed, budget) for env in args.envs for seed in args.seeds for method in args.methods
    ]
    run_cells(cells, runs)
    if not args.quick:
        collect_results(runs, RESULTS, BUDGET)


if __name__ == "__main__":
    main()
