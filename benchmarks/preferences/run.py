"""Rewards from comparisons with noisy labels, and offline policies that are trained on them.

    python -m benchmarks.preferences.run --seeds 0 1 2 3 4
    python -m benchmarks.preferences.run --report

Data of mixed quality are compared by an oracle: 200, 500 or 2000 pairs of segments, of which 0, 10 or 40 %
are labeled wrongly.  A reward is learned from the labels alone, and implicit Q-learning trains a policy on
the relabeled data.  Baselines are implicit Q-learning on the true rewards, on random ones and on two rewards
from the best 5 % of the episodes, and behavior cloning of all data.

A finished cell is a file in `runs/preferences/`, which is skipped when the command runs again, and rows of
`results/preferences.csv` (env, method, n_pairs, flips, seed, metric, value).  `spearman` and `accuracy` are
measured on held-out data.  `return` is the true return in the environment, and `normalized` is 0 for a random
policy and 1 for implicit Q-learning on the true rewards.  `--quick` stores its cells in
`runs/preferences-quick/` and writes no csv.

`--report` writes the csv from the finished cells, prints the tables, and rewrites those of
`docs/results/preferences.md`.  Settings were chosen on seeds from 100 on, which are refused here unless
`--development` is given.
"""

import os
from pathlib import Path

import torch

from benchmarks.preferences.cells import cells, collect_results, run_cells
from benchmarks.preferences.methods import QUICK, Budget
from benchmarks.preferences.report import report
from benchmarks.preferences.worlds import WORLDS
from benchmarks.tables import make_parser, read_csv

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "preferences.csv"
PAGE = ROOT / "docs" / "results" / "preferences.md"
RUNS, QUICK_RUNS = Path("runs") / "preferences", Path("runs") / "preferences-quick"


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=list(WORLDS), default=list(WORLDS), help="environments")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="random seeds")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/preferences")
    parser.add_argument("--limit", type=int, help="number of cells, the most important first; default all")
    parser.add_argument("--skip", type=int, default=0, help="number of the first cells that are left out")
    parser.add_argument(
        "--quick", action="store_true", help="a test of all parts with small sizes; no results are written"
    )
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="write csv and tables, and run nothing")
    args = parser.parse_args()
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    if args.report:
        collect_results(runs, RESULTS)
        report(read_csv(RESULTS), PAGE)
        return
    if max(args.seeds) >= 100 and not args.development:
        parser.error("settings were chosen on seeds from 100 on; add --development to run them")
    os.environ["OMP_NUM_THREADS"] = "1"
    torch.set_num_threads(1)
    chosen = list(cells(args.envs, args.seeds))[args.skip : args.limit]
    run_cells(chosen, runs, QUICK if args.quick else Budget())
    if runs == RUNS:
        collect_results(runs, RESULTS)


if __name__ == "__main__":
    main()
