"""Effect of representation learning on imitation from pixels, against the effect of augmentation.

    python -m benchmarks.imitation.run --seeds 0 1 2 --n-workers 2
    python -m benchmarks.imitation.run --report

The table follows EIRLI (arXiv 2205.07886): methods x {pretrain, joint} x {with, without augmentation of the
images of behavior cloning}, and two controls: behavior cloning alone, with and without augmentation.  Each
entry is a cell for each environment and seed, and runs in a process of its own.  A finished cell is a folder
in `runs/imitation/` and a row of `results/imitation.csv` (env, method, mode, augment, seed, return,
normalized, seconds).  Both are skipped when the command runs again, and an interrupted cell resumes.  A
folder with other settings is an error; after a change of `Budget` remove the rows of the csv, too.  All cells
of a seed share its demonstrations and its random frames.  `--quick` stores its cells in
`runs/imitation-quick/`.  The csv is only written from cells in `runs/imitation/`.

`--report` prints the tables and rewrites those of `docs/results/imitation.md`: mean and 95 % bootstrap
interval of the normalized return (0 for a random policy, 1 for the demonstrations).  `normalized` is empty
where the return of the demonstrations is not above that of the random policy; the table reports the number of
such runs, and its mean leaves them out.

Settings were chosen on seeds from 100 on, which are refused here unless `--development` is given.
"""

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from benchmarks.imitation.cells import METHODS, QUICK, Budget, collect_results, run_seed
from benchmarks.imitation.report import report
from benchmarks.tables import make_parser, read_csv

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "imitation.csv"
PAGE = ROOT / "docs" / "results" / "imitation.md"
RUNS, QUICK_RUNS = Path("runs") / "imitation", Path("runs") / "imitation-quick"


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument(
        "--envs",
        nargs="+",
        default=["InvertedPendulum-v5"],
        help="environments, such as pong or HalfCheetah-v5",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument(
        "--methods", nargs="*", default=METHODS, help="representation methods; empty for the controls alone"
    )
    parser.add_argument("--n-workers", type=int, default=1, help="number of environments and seeds at a time")
    parser.add_argument("--runs", type=Path, help="folder of the cells; default runs/imitation")
    parser.add_argument(
        "--quick", action="store_true", help="a test of all parts with small sizes; no results are written"
    )
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_csv(RESULTS), PAGE)
        return
    if max(args.seeds) >= 100 and not args.development:
        parser.error("settings were chosen on seeds from 100 on; add --development to run them")
    os.environ["OMP_NUM_THREADS"] = "1"
    runs = args.runs or (QUICK_RUNS if args.quick else RUNS)
    budget, results = QUICK if args.quick else Budget(), RESULTS if runs == RUNS else None
    jobs = [
        (env, seed, tuple(args.methods), runs, budget, results) for env in args.envs for seed in args.seeds
    ]
    with ThreadPoolExecutor(args.n_workers) as pool:  # threads that wait for processes
        for job in [pool.submit(run_seed, *job) for job in jobs]:
            job.result()
    if results is not None:
        collect_results(runs, results)


if __name__ == "__main__":
    main()
