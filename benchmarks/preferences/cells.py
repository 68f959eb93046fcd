"""Cells of the preference benchmark: one file of numbers each.

`Cell`             an environment, a method, its labels and a seed
`cells`            all cells, the most important first
`run_cell`         numbers of a cell
`run_cells`        all unfinished cells, each to a file
`collect_results`  rows of the csv from the files of finished cells
"""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks.cells import add_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.preferences.methods import (
    BASELINES,
    PREFERENCES,
    RANDOM_POLICY,
    TRUE_REWARD,
    Budget,
    label,
    train_policy,
)
from benchmarks.preferences.worlds import WORLDS, World
from rlpriors.agents import RandomPolicy
from rlpriors.data.episodes import EpisodeStore

__all__ = ["COLUMNS", "FLIPS", "N_PAIRS", "Cell", "cells", "collect_results", "run_cell", "run_cells"]

COLUMNS = ("env", "method", "n_pairs", "flips", "seed", "metric", "value")
N_ENDS = 3
"""Number of the first baselines that run together with the target."""
N_PAIRS, FLIPS = (500, 200, 2000), (0.1, 0.0, 0.4)
"""Numbers of pairs and fractions of wrong labels; the first ones are those of the target."""


class Cell(NamedTuple):
    """An environment, a method, its labels and a seed."""

    env: str
    """Name of the environment."""
    method: str
    """Name of the method."""
    n_pairs: int
    """Number of labeled pairs; 0 for methods without labels."""
    flips: float
    """Fraction of wrong labels."""
    seed: int
    """Random seed of data, labels, reward and policy."""
    policy: bool = True
    """Train a policy on the rewards, instead of scoring the rewards alone."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        kind = "" if self.policy else "-reward"
        return f"{self.env}-{self.method}-{self.n_pairs}-{self.flips:g}-seed{self.seed}{kind}.json"


def cells(envs: Sequence[str], seeds: Sequence[int]) -> Iterator[Cell]:
    """Yield all cells: the target and the baselines, then rewards of other labels, then their policies."""
    n_pairs, flips = N_PAIRS[0], FLIPS[0]
    target = Cell("", PREFERENCES, n_pairs, flips, 0)
    others = [Cell("", method, 0, 0.0, 0) for method in BASELINES]
    # The baselines after `N_ENDS` are not needed for a fraction of the return on true rewards.
    for group in ([target, *others[:N_ENDS]], others[N_ENDS:]):
        for seed in seeds:
            yield from (cell._replace(env=env, seed=seed) for env in envs for cell in group)
    grid = [(n, f) for n in N_PAIRS for f in FLIPS if (n, f) != (n_pairs, flips)]
    # The row and the column of the target before the corners.
    grid.sort(key=lambda entry: (entry[0] != n_pairs) + (entry[1] != flips))
    for policy in (False, True):
        for n, f in grid:
            yield from (Cell(env, PREFERENCES, n, f, seed, policy) for seed in seeds for env in envs)


def run_cell(
    cell: Cell, world: World, stores: tuple[EpisodeStore, EpisodeStore], budget: Budget
) -> dict[str, float]:
    """Return the metrics of a cell."""
    started = time.process_time()
    if cell.method == RANDOM_POLICY:
        return {"return": world.mean_return(RandomPolicy(world.spaces[1], cell.seed), cell.seed)}
    labeled, scores = label(world, cell.method, stores, cell.n_pairs, cell.flips, cell.seed, budget)
    if not cell.policy:
        return scores
    policy = train_policy(world, cell.method, labeled, cell.seed, budget)
    scores["return"] = world.mean_return(policy, cell.seed)
    return {**scores, "seconds": round(time.process_time() - started, 1)}


def run_cells(chosen: Sequence[Cell], runs: Path, budget: Budget) -> None:
    """Run all cells without a file, and write the files; data are made once for each environment and seed."""
    worlds: dict[str, World] = {}
    for cell in unfinished(chosen, runs):
        world = worlds.setdefault(cell.env, WORLDS[cell.env]())
        numbers = run_cell(cell, world, _stores(world, cell.seed, runs / "data"), budget)
        path = runs / cell.file
        write_cell(path, {**cell._asdict(), "metrics": numbers})
        print(path.stem, {name: round(value, 3) for name, value in numbers.items()}, flush=True)


def _stores(world: World, seed: int, folder: Path) -> tuple[EpisodeStore, EpisodeStore]:
    files = [folder / f"{world.name}-seed{seed}-{kind}.safetensors" for kind in ("train", "held_out")]
    if not all(file.exists() for file in files):
        folder.mkdir(parents=True, exist_ok=True)
        for file, store in zip(files, world.data(seed), strict=True):
            store.save(file)
    first, second = (EpisodeStore.load(file) for file in files)
    return first, second


def collect_results(runs: Path, results: Path) -> None:
    """Add the cells in `runs` to the csv, with normalized returns; development seeds are left out.

    A normalized return is 0 for a random policy and 1 for implicit Q-learning on the true rewards of the same
    seed.
    """
    found = [cell for cell in read_cells(runs) if cell["seed"] < 100]
    baselines = [cell for cell in found if cell["n_pairs"] == 0]
    returns = {(c["env"], c["method"], c["seed"]): c["metrics"]["return"] for c in baselines}
    rows = []
    for cell in found:
        metrics = dict(cell["metrics"])
        ends = [(cell["env"], name, cell["seed"]) for name in (RANDOM_POLICY, TRUE_REWARD)]
        if "return" in metrics and all(end in returns for end in ends):
            low, high = (returns[end] for end in ends)
            metrics["normalized"] = (metrics["return"] - low) / (high - low)
        names = cell["env"], cell["method"], cell["n_pairs"], f"{cell['flips']:g}", cell["seed"]
        rows += metric_rows(names, metrics)
    add_rows(results, COLUMNS, rows)
