"""Quality of learned rewards: every objective and baseline, on the same prior and demonstrations.

    python -m benchmarks.irl.run --environments umaze --seeds 0 1 2 3 4 --n-workers 2
    python -m benchmarks.irl.run --report

Each environment, seed and method is a cell.  A finished cell is a file in `runs/irl/` and rows of
`results/irl.csv` (environment, method, seed, n_demonstrations, metric, value).  Both are skipped when the
command runs again, so it may be stopped at any time, and cells may run on several machines.  `--report`
prints the tables of each environment, draws the figures and rewrites the tables of `docs/results/irl.md`.

Settings were chosen on seeds 100-102, which are refused here unless `--development` is given.
"""

import json
import logging
import os
import resource
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.irl.environments.base import IRLEnvironment, Metrics
from benchmarks.irl.environments.registry import ENVIRONMENTS, make_environment
from benchmarks.irl.experiment import Experiment, MethodResult
from benchmarks.irl.methods import MAIN, METHODS, VARIANTS
from benchmarks.irl.report import report
from benchmarks.process_pool import make_process_pool
from benchmarks.tables import make_parser, read_csv, write_csv
from rlpriors.rewards import RewardModel, load_reward
from rlpriors.training.run_folder import write_json

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "benchmarks" / "results" / "irl.csv"
RUNS = Path("runs") / "irl"
COLUMNS = ("environment", "method", "seed", "n_demonstrations", "metric", "value")
DEMONSTRATION_METHODS = ("contrastive", "contrastive-full-obs", "relative", "bc", "diffusion-bc")
RL_METHODS = (
    *("oracle", "random", "contrastive", "contrastive-full-obs", "contrastive-obs-act"),
    *("relative", "density-ratio", "backprop-mmd-rbf", "gail", "airl", "drail"),
)
RL_CHANGED_METHODS = ("oracle", "contrastive", "contrastive-full-obs", "gail", "airl", "drail")
N_DEMONSTRATIONS = 20

PARTS = ("main", "rl", "rl-changed", "demonstrations", "variants")

Cell = tuple[str, int]
"""Method and number of demonstrations."""


def run_seed(
    name: str, seed: int, parts: tuple[str, ...], methods: tuple[str, ...], runs: Path, quick: bool
) -> None:
    """Run all unfinished cells of an environment and a seed.

    Each cell has a process of its own, so that its peak memory is its own and MuJoCo's memory is freed.
    """
    environment = make_environment(name, quick=quick)
    folder = runs / name / f"seed{seed}"
    recorded = recorded_metrics(runs)
    unfinished = [
        (part, method, n)
        for part in parts
        for method, n in cells(part)
        if not (methods and method not in methods)
        and not cell_file(folder, part, method, n).exists()
        and (name, method, str(seed), str(n), completion_metric(environment, part)) not in recorded
    ]
    prepare = [("prepare", "prior", N_DEMONSTRATIONS)] if unfinished else []
    for part, method, n in (*prepare, *unfinished):
        with make_process_pool(1) as pool:
            seconds = pool.submit(run_cell, name, seed, part, method, n, folder, quick).result()
        title = cell_file(folder, part, method, n).stem
        print(f"{name} seed {seed} {title}: {seconds:.0f} s", flush=True)


def completion_metric(environment: IRLEnvironment, part: str) -> str:
    """Return the metric that every finished cell of a part has."""
    if part == "rl-changed":
        return environment.transfer_metric.replace("same", environment.changes[-1])
    return environment.transfer_metric if part == "rl" else "seconds"


def cell_file(folder: Path, part: str, method: str, n_demonstrations: int) -> Path:
    """Return the file of a cell's metrics."""
    suffix = f"_{part}" if part in ("rl", "rl-changed") else ""
    return folder / f"{method}-{n_demonstrations}{suffix}.json"


def run_cell(
    name: str, seed: int, part: str, method: str, n_demonstrations: int, folder: Path, quick: bool
) -> float:
    """Run one cell and return its seconds; the part "prepare" makes the data and the prior of all cells."""
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    start = time.monotonic()
    environment = make_environment(name, quick=quick)
    environment.seed = seed
    experiment = Experiment(environment, seed, n_demonstrations, folder)
    if part != "prepare":
        if part in ("rl", "rl-changed"):
            changes = environment.changes[:1] if part == "rl" else environment.changes[1:]
            metrics = score_rl(experiment, method, changes)
        else:
            metrics = score_method(experiment, method)
        write_json(cell_file(folder, part, method, n_demonstrations), metrics)
    return time.monotonic() - start


def cells(part: str) -> list[Cell]:
    """Return the cells of a part of the benchmark."""
    if part == "demonstrations":
        return [(method, n) for n in (1, 2, 5) for method in DEMONSTRATION_METHODS]
    methods = {"main": MAIN, "variants": VARIANTS, "rl": RL_METHODS, "rl-changed": RL_CHANGED_METHODS}[part]
    return [(method, N_DEMONSTRATIONS) for method in methods]


def reward_folder(experiment: Experiment, method: str) -> Path:
    """Return the folder of a method's reward."""
    return experiment.folder / "rewards" / f"{method}-{experiment.n_demonstrations}"


def learn(experiment: Experiment, method: str) -> MethodResult:
    """Run a method, and save its reward for the parts "rl" and "rl-changed"."""
    result = METHODS[method](experiment)
    if isinstance(result.reward, RewardModel):
        result.reward.save(reward_folder(experiment, method))
    return result


def score_method(experiment: Experiment, method: str) -> Metrics:
    """Run a method, and score its reward and its policy."""
    environment = experiment.environment
    start = time.monotonic()
    result = learn(experiment, method)
    metrics = {"seconds": time.monotonic() - start, "peak_mib": peak_memory_mib(), **result.metrics}
    if result.reward is not None:
        metrics |= environment.score_reward(result.reward, experiment.data)
    if result.policy is not None:
        start = time.monotonic()
        metrics |= environment.score_policy(result.policy, 10_000 + experiment.seed)
        metrics["evaluation_seconds"] = time.monotonic() - start
    return metrics


def peak_memory_mib() -> float:
    """Return the peak memory of this process, with all that it imports; macOS reports bytes, Linux KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def score_rl(experiment: Experiment, method: str, changes: tuple[str, ...]) -> Metrics:
    """Train a policy from scratch on a method's reward alone, in each changed environment."""
    saved = reward_folder(experiment, method)
    if method == "oracle":
        reward = experiment.environment.oracle()
    else:
        reward = load_reward(saved, "cpu") if saved.exists() else learn(experiment, method).reward
    assert reward is not None
    return experiment.environment.score_transfer(reward, experiment.data, experiment.seed, changes)


def recorded_metrics(runs: Path) -> set[tuple[str, ...]]:
    """Return environment, method, seed, number of demonstrations and metric of every row of the csv."""
    return {tuple(row[:5]) for row in read_csv(RESULTS)} if runs == RUNS else set()


def collect_results(runs: Path, results: Path) -> None:
    """Add the metrics in the files of cells to the csv; development seeds are left out."""
    rows = {tuple(row[:5]): row[5] for row in read_csv(RESULTS)}
    for file in sorted(runs.glob("*/seed*/*-*.json")):
        method, n = file.stem.partition("_")[0].rsplit("-", 1)
        environment, seed = file.parts[-3], file.parts[-2].removeprefix("seed")
        if int(seed) >= 100:
            continue
        for metric, value in json.loads(file.read_text()).items():
            rows[environment, method, seed, n, metric] = f"{value:.6g}"
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
        help="rl: policies trained on the reward alone; rl-changed: the same in changed environments",
    )
    parser.add_argument("--methods", nargs="*", default=[], choices=tuple(METHODS), help="methods to run")
    parser.add_argument("--n-workers", type=int, default=1, help="number of seeds that run at a time")
    parser.add_argument("--runs", type=Path, default=RUNS, help="folder of the cells")
    parser.add_argument("--quick", action="store_true", help="a test of all parts in about a minute")
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="write the tables from the csv and run nothing")
    args = parser.parse_args()
    if args.report:
        report(read_csv(RESULTS), ROOT / "docs", MAIN, VARIANTS)
        return
    if max(args.seeds) >= 100 and not args.development:
        parser.error("settings were chosen on seeds from 100 on; add --development to run them")
    os.environ["OMP_NUM_THREADS"] = "1"  # seeds run at the same time instead
    jobs = [
        (environment, seed, tuple(args.parts), tuple(args.methods), args.runs, args.quick)
        for environment in args.environments
        for seed in args.seeds
    ]
    with ThreadPoolExecutor(args.n_workers) as pool:  # threads that wait for processes
        for job in [pool.submit(run_seed, *job) for job in jobs]:
            job.result()
    if not args.quick:
        collect_results(args.runs, RESULTS)


if __name__ == "__main__":
    main()
