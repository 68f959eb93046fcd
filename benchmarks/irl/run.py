"""Quality of learned rewards: every objective and baseline, on the same data and demonstrations.

    python -m benchmarks.irl.run --environments umaze --seeds 0 1 2 3 4 --n-workers 2
    python -m benchmarks.irl.run --report

Each environment, seed, part and method is a cell.  Cells run in the order of their cost, learning before
policies, `--n-workers` of them at a time.  A finished cell is a file in `runs/irl/` and rows of
`results/irl.csv` (world, method, seed, demos, metric, value).  Both are skipped when the command runs again,
so it may be stopped at any time, and cells may run on several machines.  In another folder `--runs`, recorded
cells run again, and `--collect` adds them to the csv.  `--report` prints the tables of each
environment, draws the figures and rewrites the tables of `docs/results/irl.md`.

Settings were chosen on seeds 100-102 (`benchmarks.irl.search`), which are refused here unless `--development`
is given.
"""

import json
import os
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from benchmarks.irl.cells import FIXED_ACTIONS, PARTS, Cell, all_cells, run_cell
from benchmarks.irl.environments.registry import ENVIRONMENTS
from benchmarks.irl.methods import MAIN, METHODS, VARIANTS
from benchmarks.irl.report import report
from benchmarks.irl.scores import normalized_policies
from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.worker_pool import WorkerPool

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "irl.csv"
RUNS = Path("runs") / "irl"
COLUMNS = ("world", "method", "seed", "demos", "metric", "value")


def run_cells(cells: Sequence[Cell], runs: Path, quick: bool, n_workers: int) -> None:
    """Run cells in their order, `n_workers` at a time; cells of one environment and seed never overlap.

    Each cell that learns has a process of its own, so that its peak memory is its own and MuJoCo's memory is
    freed.  A cell that fails is reported and does not stop the others.

    Raises:
        RuntimeError: a cell failed.
    """
    waiting, running = batches(cells), dict[Future[list[str]], list[Cell]]()
    failed = []
    with ThreadPoolExecutor(n_workers) as threads:  # threads that wait for processes
        while waiting or running:
            busy = {batch[0].lane for batch in running.values()}
            free = next((batch for batch in waiting if batch[0].lane not in busy), None)
            if free is not None and len(running) < n_workers:
                waiting.remove(free)
                running[threads.submit(_in_process, free, runs, quick)] = free
                continue
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                batch = running.pop(done)
                error = done.exception()  # a process that died; errors of cells are results
                results = done.result() if error is None else [f"failed, {error!r}"] * len(batch)
                for cell, result in zip(batch, results, strict=True):
                    failed += [cell] if result.startswith("failed") else []
                    print(f"{cell}: {result}", flush=True)
    if failed:
        raise RuntimeError(f"{len(failed)} cells failed: {', '.join(map(str, failed))}.")


def batches(cells: Sequence[Cell]) -> list[list[Cell]]:
    """Return the cells in batches that share a process: statistics take less time than the imports."""
    shared: dict[tuple[Any, ...], list[Cell]] = {}
    for cell in cells:
        key = (cell.lane, cell.part) if cell.cost[1] == 0 and cell.part == "main" else (cell,)
        shared.setdefault(key, []).append(cell)
    return list(shared.values())


def _in_process(batch: list[Cell], runs: Path, quick: bool) -> list[str]:
    with WorkerPool(1) as pool:
        return pool.submit(_run_batch, batch, runs, quick).result()


def _run_batch(batch: list[Cell], runs: Path, quick: bool) -> list[str]:
    """Run cells one after the other; return their seconds, or their errors."""
    results = []
    for cell in batch:
        try:
            results.append(f"{run_cell(cell, runs, quick):.0f} s")
        except Exception as error:
            results.append(f"failed, {type(error).__name__}: {error}")
    return results


def unfinished(cells: Sequence[Cell], runs: Path) -> list[Cell]:
    """Return the cells that have neither a file nor rows in the csv."""
    rows = read_csv(RESULTS) if runs == RUNS else []
    recorded = {tuple(row[:5]) for row in rows}
    return [
        cell
        for cell in cells
        if not cell.file(runs).exists()
        and (cell.world, cell.method, str(cell.seed), str(cell.demos), cell.metric) not in recorded
    ]


def collect_results(runs: Path, results: Path) -> None:
    """Add the metrics in the files of cells to the csv; development seeds are left out.

    `policy_normalized` is computed from all rows: 0 is the better of random actions and the zero action, 1 is
    the policy trained on the true reward, both as means over seeds.
    """
    rows = {tuple(row[:5]): row[5] for row in read_csv(RESULTS)}
    for file in sorted(runs.glob("*/seed*/*-*.json")):
        if "_trial" in file.stem:
            continue
        method, n = file.stem.partition("_")[0].rsplit("-", 1)
        world, seed = file.parts[-3], file.parts[-2].removeprefix("seed")
        if int(seed) >= 100:
            continue
        for metric, value in json.loads(file.read_text()).items():
            rows[world, method, seed, n, metric] = f"{value:.6g}"
    rows |= {key: f"{value:.6g}" for key, value in normalized_policies(rows, FIXED_ACTIONS).items()}
    write_csv(results, COLUMNS, ([*key, value] for key, value in sorted(rows.items())))


def main() -> None:
    """Run the command."""
    parser = make_parser(__doc__)
    parser.add_argument("--environments", nargs="+", default=["umaze"], help=", ".join(ENVIRONMENTS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4], help="random seeds")
    parser.add_argument(
        "--parts",
        nargs="+",
        default=PARTS,
        choices=PARTS,
        help="policy: policies trained on the reward alone; policy-changed: the same in changed environments",
    )
    parser.add_argument("--methods", nargs="*", default=[], choices=tuple(METHODS), help="methods to run")
    parser.add_argument("--n-workers", type=int, default=1, help="number of cells that run at a time")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the cells")
    parser.add_argument("--quick", action="store_true", help="a test of all parts in about a minute")
    parser.add_argument("--list", action="store_true", help="print the unfinished cells and run nothing")
    parser.add_argument("--collect", action="store_true", help="add finished cells to the csv, run nothing")
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_csv(RESULTS), ROOT / "docs", MAIN, VARIANTS)
        return
    if max(args.seeds) >= 100 and not args.development:
        parser.error("settings were chosen on seeds from 100 on; add --development to run them")
    os.environ["OMP_NUM_THREADS"] = "1"  # cells run at the same time instead
    cells = all_cells(args.environments, args.seeds, args.parts, args.methods, args.quick)
    cells = unfinished(cells, args.runs)
    if args.list:
        print(*cells, sep="\n")
        return
    try:
        if not args.collect:
            run_cells(cells, args.runs, args.quick, args.n_workers)
    finally:
        if not args.quick and (args.collect or args.runs == RUNS):
            collect_results(args.runs, RESULTS)


if __name__ == "__main__":
    main()
