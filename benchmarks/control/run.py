"""Reinforcement learning on encodings, against the same agent on downsampled pixels.

    pip install -c constraints.txt minigrid       # optional: for the tasks of MiniGrid
    python -m benchmarks.control.run --envs MiniGrid-Empty-Random-6x6-v0 --seeds 0 1 2
    python -m benchmarks.control.run --report

The agents of an environment are one PPO with the same multilayer perceptrons, and differ in the encoder of
their images alone:

    pixels-unscaled         20 x 20 pixels in color, from -1 to 1
    pixels                  the same, scaled
    random-cnn              a NatureCNN with random weights
    contrast-filters        random filters on contrast-normalized patches, maxima over rows and columns
    rlpriors/atari-filters  the same with the filters that ship
    efficientnet-lite0      trained on ImageNet; maxima over rows and columns of its map at 8 pixels per cell

All features but those of `pixels-unscaled` are scaled to a standard deviation of 1 over 512 frames under
random actions, which are recorded before the training.  Pixels that hardly vary in these frames become large
where a later frame differs.

Each environment, observation and seed is a cell.  The csv `results/control.csv` holds its learning curve:
env, algorithm, observation, seed, env_steps, seconds, return.  `seconds` is CPU time of the training on one
core, with rendering and encoding and without the start of the process, so that other programs do not change
it.  `return` is the mean over the episodes of the training that finished since the row before.  A finished
cell is skipped when the command runs again; an interrupted one starts again.

`--report` prints the table and rewrites that of `docs/results/control.md`.
"""

import os
from collections.abc import Iterable
from concurrent.futures import as_completed
from pathlib import Path

from benchmarks.cells import read_cells, unfinished, write_cell
from benchmarks.control.cells import COLUMNS, Cell, run_cell
from benchmarks.control.observations import OBSERVATIONS
from benchmarks.control.report import report
from benchmarks.control.tasks import TASKS
from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "control.csv"
PAGE = ROOT / "docs" / "results" / "control.md"
RUNS = Path("runs") / "control"


def run_cells(cells: Iterable[Cell], runs: Path, n_workers: int) -> None:
    """Run the cells whose files do not exist in worker processes, and write their learning curves."""
    with WorkerPool(n_workers) as pool:
        jobs = {pool.submit(run_cell, cell): cell for cell in unfinished(cells, runs)}
        for job in as_completed(jobs):
            cell, points = jobs[job], job.result()
            write_cell(runs / cell.file, {**cell._asdict(), "points": points})
            steps, seconds, mean_return = points[-1]
            name = f"{cell.env} {cell.observation} seed {cell.seed}"
            print(f"{name}: {mean_return:.3f} after {steps} steps, {seconds:.0f} s", flush=True)


def collect_results(runs: Path, results: Path) -> None:
    """Add the learning curves of finished cells to the csv; rows of the same cell are replaced."""
    curves: dict[tuple[str, ...], list[list[str]]] = {}
    for row in read_csv(results):
        curves.setdefault(tuple(row[:4]), []).append(row)
    for content in read_cells(runs):
        algorithm = TASKS[content["env"]].algorithm.algorithm
        key = (content["env"], algorithm, content["observation"], str(content["seed"]))
        points = content["points"]
        curves[key] = [[*key, str(steps), f"{spent:.1f}", f"{value:.6g}"] for steps, spent, value in points]
    write_csv(results, COLUMNS, [row for key in sorted(curves) for row in curves[key]])


def main(arguments: list[str] | None = None) -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--envs", nargs="+", choices=TASKS, default=list(TASKS), help="environments")
    parser.add_argument(
        "--observations", nargs="+", choices=OBSERVATIONS, default=list(OBSERVATIONS), help="observations"
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="random seeds")
    parser.add_argument("--env-steps", type=int, help="number of steps; by default that of the task")
    parser.add_argument("--n-workers", type=int, default=1, help="number of cells at a time")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the finished cells")
    parser.add_argument("--results", type=Path, default=RESULTS, help="file of the learning curves")
    parser.add_argument("--report", action="store_true", help="write the table from the csv and run nothing")
    args = parser.parse_args(arguments)
    if args.report:
        report(read_csv(args.results), PAGE)
    else:
        os.environ["OMP_NUM_THREADS"] = "1"
        cells = [
            Cell(env, observation, seed, args.env_steps or TASKS[env].env_steps)
            for env in args.envs
            for seed in args.seeds
            for observation in args.observations
        ]
        run_cells(cells, args.runs, args.n_workers)
        collect_results(args.runs, args.results)


if __name__ == "__main__":
    main()
