"""Cells of the exploration benchmark: one training each.

`COLUMNS`          columns of the csv
`Cell`             task, method, value of its setting, and seed
`run_cell`         one training, and its metrics
`run_cells`        all cells whose files do not exist yet
`chosen_values`    best setting of each method, from the trials on the development seeds
`chosen_cells`     cells with these settings
`collect_results`  rows of both csv files from the files of the cells
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.cells import add_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.exploration.methods import METHODS, make_agent
from benchmarks.exploration.tasks import TASKS, make_task
from benchmarks.tables import read_csv
from rlpriors.training.online import train_online

__all__ = ["COLUMNS", "Cell", "chosen_cells", "chosen_values", "collect_results", "run_cell", "run_cells"]

COLUMNS = ("env", "method", "seed", "metric", "value")
TRIAL_COLUMNS = ("env", "method", "setting", "seed", "metric", "value")
DEVELOPMENT_SEED = 100
"""Lowest seed that settings may be chosen on."""


class Cell(NamedTuple):
    """One training."""

    env: str
    """Name of the task."""
    method: str
    """Name of the method."""
    value: float
    """Value of the method's setting."""
    seed: int
    """Random seed."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        return f"{self.env}-{self.method.replace(', ', '-')}-{self.value:g}-seed{self.seed}.json"


def run_cell(cell: Cell, env_steps: int | None = None) -> dict[str, float]:
    """Train once and return the metrics.

    `first_solve` is the number of the first solved episode, from 1 on, or one more than the number of
    episodes if none was solved.  `solved` is the fraction of solved episodes, `solved_late` that of the last
    fifth.
    """
    torch.set_num_threads(1)
    task = TASKS[cell.env]
    training = task.training if env_steps is None else task.quick(env_steps)
    env = make_task(cell.env, cell.seed)
    agent = make_agent(task, METHODS[cell.method], cell.value, env, cell.seed)
    start = time.process_time()
    result = train_online(
        agent, partial(make_task, cell.env, cell.seed), settings=training, seed=cell.seed, progress=False
    )
    returns = np.array([episode.true_return for episode in result.episodes])
    solved = returns > task.solved_above
    return {
        "first_solve": float(solved.argmax() + 1 if solved.any() else len(solved) + 1),
        "solved": float(solved.mean()),
        "solved_late": float(solved[-max(1, len(solved) // 5) :].mean()),
        "return": float(returns.mean()),
        "episodes": float(len(solved)),
        "seconds": time.process_time() - start,
    }


def run_cells(cells: Iterable[Cell], runs: Path, env_steps: int | None = None) -> None:
    """Run all cells without a file in `runs`, one after the other."""
    for cell in unfinished(cells, runs):
        metrics = run_cell(cell, env_steps)
        path = runs / cell.file
        write_cell(path, {**cell._asdict(), "metrics": metrics})
        print(f"{path.stem}: first {metrics['first_solve']:.0f}, solved {metrics['solved']:.3f}", flush=True)


def chosen_values(trials: Iterable[Sequence[str]]) -> dict[tuple[str, str], float]:
    """Return the best value of each environment and method.

    It has the largest mean fraction of solved episodes over the development seeds; of equal ones, the first
    value of the method.

    Args:
        trials: rows of the csv of the trials.
    """
    solved: dict[tuple[str, str], dict[float, list[float]]] = {}
    for env, method, value, _, metric, result in trials:
        if metric == "solved":
            solved.setdefault((env, method), {}).setdefault(float(value), []).append(float(result))
    chosen = {}
    for (env, method), found in solved.items():
        values = [value for value in METHODS[method].values if value in found]
        chosen[env, method] = values[int(np.argmax([np.mean(found[value]) for value in values]))]
    return chosen


def chosen_cells(
    envs: Sequence[str], methods: Sequence[str], seeds: Sequence[int], chosen: Mapping[tuple[str, str], float]
) -> list[Cell]:
    """Return the cells with the chosen settings, all methods of a seed before the next seed.

    Raises:
        ValueError: the setting of a method was not chosen yet.
    """
    for env in envs:
        for method in methods:
            if (env, method) not in chosen:
                raise ValueError(
                    f"The setting of {method!r} on {env!r} must be chosen before. Received no trials; run "
                    f"--development --envs {env}, or leave the method out by --methods."
                )
    return [
        Cell(env, method, chosen[env, method], seed) for env in envs for seed in seeds for method in methods
    ]


def collect_results(runs: Path, results: Path, trials: Path) -> None:
    """Add the results in the files of cells to both csv files.

    Development seeds go to `trials`, the others to `results` if they have the chosen setting.
    """
    contents = read_cells(runs)
    tried = []
    for content in contents:
        if content["seed"] >= DEVELOPMENT_SEED:
            names = content["env"], content["method"], f"{content['value']:g}", content["seed"]
            tried += metric_rows(names, content["metrics"])
    add_rows(trials, TRIAL_COLUMNS, tried)
    chosen = chosen_values(read_csv(trials))
    rows = []
    for content in contents:
        env, method, seed = content["env"], content["method"], content["seed"]
        if seed < DEVELOPMENT_SEED and chosen.get((env, method)) == content["value"]:
            rows += metric_rows((env, method, seed), content["metrics"])
    add_rows(results, COLUMNS, rows, key=lambda row: (row[0], row[1], int(row[2]), row[3]))
