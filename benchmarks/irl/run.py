"""Is the learned reward the reward?  Every objective and baseline, on the same prior and demonstrations.

    python -m benchmarks.irl.run --worlds umaze --seeds 0 1 2 3 4 --workers 2
    python -m benchmarks.irl.run --report

Each world, seed and method is a cell.  A finished cell is a file in `runs/irl/` and, with its seed,
rows of `results/irl.csv` (world, method, seed, demos, metric, value); both are skipped when the
command runs again, so it may be stopped at any time, and cells may be run on several machines.
`--report` prints a table for each world, draws the figures and rewrites the tables of `docs/irl.md`.

Settings were chosen on seeds 100-102, which are refused here unless `--development` is given.
"""

import argparse
import json
import logging
import os
import resource
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch

from benchmarks.irl.grid import GridBench
from benchmarks.irl.locomotion import Locomotion
from benchmarks.irl.methods import METHODS, Lab, Learned
from benchmarks.irl.report import report
from benchmarks.irl.worlds import Budget, MazeWorld, Numbers, World
from benchmarks.tables import read_csv, write_csv
from benchmarks.workers import processes
from rlpriors.rewards import RewardModel, load_reward
from rlpriors.training.run_folder import write_json

RESULTS = Path(__file__).parents[1] / "results" / "irl.csv"
COLUMNS = ("world", "method", "seed", "demos", "metric", "value")
MAIN = tuple(METHODS)[: tuple(METHODS).index("all-plain")]
VARIANTS = tuple(METHODS)[len(MAIN) :]
CURVES = ("contrastive", "contrastive-all", "relative", "bc", "diffusion-bc")
TRANSFER = (
    *("oracle", "random", "contrastive", "contrastive-all", "contrastive-action"),
    *("relative", "ratio", "chain-mmd-rbf", "gail", "airl", "drail"),
)
CHANGED = ("oracle", "contrastive", "contrastive-all", "gail", "airl", "drail")
DEMOS = 20

PARTS = ("main", "transfer", "changed", "curves", "variants")

Cell = tuple[str, int]
"""A method and a number of demonstrations."""


def large(name: str) -> MazeWorld:
    """The large maze, or its world with cells to avoid."""
    return MazeWorld(
        name,
        horizon=48,
        stride=6,
        max_start=200,
        seed_recipe="large",
        budget=Budget(
            data_episodes=500, prior_updates=8000, reward_updates=1200, env_steps=48_000, episodes=30
        ),
    )


WORLDS: dict[str, Callable[[], World]] = {
    "gridworld": GridBench,
    "umaze": MazeWorld,
    "ring-avoid": lambda: MazeWorld("ring-avoid", max_start=100),
    "large": lambda: large("large"),
    "large-avoid": lambda: large("large-avoid"),
    "hopper": lambda: Locomotion("Hopper-v5"),
    "halfcheetah": lambda: Locomotion("HalfCheetah-v5"),
}


def make_world(name: str, *, quick: bool) -> World:
    """A world by its name.

    Raises:
        ValueError: there is none.
    """
    if name not in WORLDS:
        raise ValueError(f"`--worlds` must be some of {', '.join(WORLDS)}. Received {name!r}.")
    world = WORLDS[name]()
    if quick:
        world.budget = Budget.quick()
    return world


def run_seed(
    name: str, seed: int, parts: tuple[str, ...], methods: tuple[str, ...], runs: Path, quick: bool
) -> None:
    """All cells of a world and seed that are not yet done, each in a process of its own.

    So that a cell's peak of memory is its own, and MuJoCo's memory is given back.
    """
    world = make_world(name, quick=quick)
    folder = runs / name / f"seed{seed}"
    done = finished(runs)
    todo = [
        (part, method, n_demos)
        for part in parts
        for method, n_demos in cells(part)
        if not (methods and method not in methods)
        and not cell_file(folder, part, method, n_demos).exists()
        and (name, method, str(seed), str(n_demos), mark(world, part)) not in done
    ]
    for part, method, n_demos in (("prepare", "prior", DEMOS), *todo) if todo else ():
        with processes(1) as process:
            seconds = process.submit(run_cell, name, seed, part, method, n_demos, folder, quick).result()
        print(
            f"{name} seed {seed} {cell_file(folder, part, method, n_demos).stem}: {seconds:.0f} s", flush=True
        )


def mark(world: World, part: str) -> str:
    """A number that tells that a cell was done."""
    if part == "changed":
        return world.transferred.replace("same", world.changes[-1])
    return world.transferred if part == "transfer" else "seconds"


def cell_file(folder: Path, part: str, method: str, n_demos: int) -> Path:
    """Where a cell's numbers are kept."""
    return folder / f"{method}-{n_demos}{f'-{part}' if part in ('transfer', 'changed') else ''}.json"


def run_cell(name: str, seed: int, part: str, method: str, n_demos: int, folder: Path, quick: bool) -> float:
    """One cell; "prepare" is data and prior, which the others find done.  Returns seconds."""
    logging.basicConfig(level=logging.ERROR)
    torch.set_num_threads(1)
    started = time.monotonic()
    world = make_world(name, quick=quick)
    world.seed = seed
    lab = Lab(world, seed, n_demos, folder)
    if part != "prepare":
        if part in ("transfer", "changed"):
            changes = world.changes[:1] if part == "transfer" else world.changes[1:]
            numbers = transfer(lab, method, seed, folder, changes)
        else:
            numbers = judge(lab, method, seed, folder)
        write_json(cell_file(folder, part, method, n_demos), numbers)
    return time.monotonic() - started


def cells(part: str) -> list[Cell]:
    """What a part of the benchmark consists of."""
    if part == "curves":
        return [(method, n) for n in (1, 2, 5) for method in CURVES]
    named = {"main": MAIN, "variants": VARIANTS, "transfer": TRANSFER, "changed": CHANGED}[part]
    return [(method, DEMOS) for method in named]


def learn(lab: Lab, method: str, folder: Path) -> Learned:
    """Run a method, and keep its reward for `transfer`."""
    learned = METHODS[method](lab)
    if isinstance(learned.reward, RewardModel):
        learned.reward.save(folder / "rewards" / f"{method}-{lab.n_demos}")
    return learned


def judge(lab: Lab, method: str, seed: int, folder: Path) -> Numbers:
    """Learn by a method, and judge what came of it."""
    started = time.monotonic()
    learned = learn(lab, method, folder)
    numbers = {"seconds": time.monotonic() - started, "peak_mib": peak_mib(), **learned.numbers}
    if learned.reward is not None:
        numbers |= lab.world.judge_reward(learned.reward, lab.data)
    if learned.policy is not None:
        started = time.monotonic()
        numbers |= lab.world.judge_policy(learned.policy, 10_000 + seed)
        numbers["acting_seconds"] = time.monotonic() - started
    return numbers


def peak_mib() -> float:
    """The most memory that this process has held, with everything that it imports.

    Linux and macOS count in KiB and in bytes.
    """
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def transfer(lab: Lab, method: str, seed: int, folder: Path, changes: tuple[str, ...]) -> Numbers:
    """Learn a policy from nothing on a method's reward, in changed worlds."""
    saved = folder / "rewards" / f"{method}-{lab.n_demos}"
    if method == "oracle":
        reward = lab.world.oracle()
    else:
        reward = load_reward(saved, "cpu") if saved.exists() else learn(lab, method, folder).reward
    assert reward is not None
    return lab.world.transfer(reward, lab.data, seed, changes)


def finished(runs: Path) -> set[tuple[str, ...]]:
    """World, method, seed, demonstrations and metric of every number in the csv."""
    return {tuple(row[:5]) for row in read_csv(RESULTS)} if runs == Path("runs") / "irl" else set()


def collect(runs: Path, results: Path) -> None:
    """Put what the files of cells say into the csv, beside what is there already."""
    rows = {tuple(row[:5]): row[5] for row in read_csv(RESULTS)}
    for file in sorted(runs.glob("*/seed*/*-*.json")):
        method, n_demos = file.stem.removesuffix("-transfer").removesuffix("-changed").rsplit("-", 1)
        world, seed = file.parts[-3], file.parts[-2].removeprefix("seed")
        if int(seed) >= 100:
            continue  # development
        for metric, value in json.loads(file.read_text()).items():
            rows[world, method, seed, n_demos, metric] = f"{value:.6g}"
    write_csv(results, COLUMNS, ([*key, value] for key, value in sorted(rows.items())))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--worlds",
        nargs="+",
        default=["umaze"],
        help=", ".join(WORLDS),
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2, 3, 4])
    parser.add_argument(
        "--parts",
        nargs="+",
        default=PARTS,
        choices=PARTS,
        help="transfer: a policy from the reward alone; changed: the same in changed worlds",
    )
    parser.add_argument("--methods", nargs="*", default=[], choices=tuple(METHODS), help="only these")
    parser.add_argument("--workers", type=int, default=1, help="seeds that run side by side")
    parser.add_argument("--runs", type=Path, default=Path("runs") / "irl", help="where cells are kept")
    parser.add_argument("--quick", action="store_true", help="a minute, to see that all runs")
    parser.add_argument("--development", action="store_true", help="allow seeds from 100 on")
    parser.add_argument("--report", action="store_true", help="no runs: tables and figures from the csv")
    args = parser.parse_args()
    if args.report:
        report(read_csv(RESULTS), RESULTS.parent.parent.parent / "docs", MAIN, VARIANTS)
        return
    if max(args.seeds) >= 100 and not args.development:
        parser.error("seeds from 100 on are those that settings were chosen on; add --development")
    os.environ["OMP_NUM_THREADS"] = "1"  # seeds run side by side instead
    jobs = [
        (world, seed, tuple(args.parts), tuple(args.methods), args.runs, args.quick)
        for world in args.worlds
        for seed in args.seeds
    ]
    with ThreadPoolExecutor(args.workers) as pool:  # of threads that wait for processes
        for result in [pool.submit(run_seed, *job) for job in jobs]:
            result.result()
    if not args.quick:
        collect(args.runs, RESULTS)


if __name__ == "__main__":
    main()
