"""Cells of the self-prediction benchmark: one training each, and its metrics.

`COLUMNS`          columns of the csv
`Cell`             task, method, seed and length
`run_cell`         one training, and its metrics
`run_cells`        all cells whose files do not exist yet
`collect_results`  rows of the csv from the files of the cells
"""

import time
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from benchmarks.cells import add_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.self_prediction.tasks import METHODS, TASKS, make_agent, make_task
from rlpriors.training.online import train_online

__all__ = ["COLUMNS", "Cell", "collect_results", "run_cell", "run_cells"]

COLUMNS = ("env", "method", "seed", "metric", "value")


class Cell(NamedTuple):
    """One training."""

    env: str
    """Name of the task."""
    method: str
    """Name of the method."""
    seed: int
    """Random seed."""
    env_steps: int
    """Number of environment steps."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        method = self.method.replace(", ", "-").replace(" ", "-")
        return f"{self.env}-{method}-seed{self.seed}-{self.env_steps}.json"


def run_cell(cell: Cell, device: str = "cpu") -> dict[str, float]:
    """Train once and return the metrics.

    `return` is the mean over all episodes of the training, the area under its curve; `last` that of the last
    fifth.  Both leave out the random steps at the start.
    """
    if device == "cpu":
        torch.set_num_threads(1)
    settings, start = TASKS[cell.env].quick(cell.env_steps), time.process_time()
    result = train_online(
        make_agent(cell.env, METHODS[cell.method], device, cell.seed),
        partial(make_task, cell.env),
        settings=settings,
        seed=cell.seed,
        progress=False,
    )
    returns = np.array([episode.true_return for episode in result.episodes])
    ends = np.cumsum([episode.length for episode in result.episodes])
    returns = returns[ends > settings.random_steps]
    if not len(returns):
        raise ValueError(
            f"`env_steps` must cover an episode after the random steps. Received {cell.env_steps}."
        )
    return {
        "return": float(returns.mean()),
        "last": float(returns[-max(1, len(returns) // 5) :].mean()),
        "episodes": float(len(returns)),
        "seconds": time.process_time() - start,
    }


def run_cells(cells: Iterable[Cell], runs: Path, device: str = "cpu") -> None:
    """Run all cells without a file in `runs`, one after the other."""
    for cell in unfinished(cells, runs):
        metrics = run_cell(cell, device)
        path = runs / cell.file
        write_cell(path, {**cell._asdict(), "metrics": metrics})
        print(f"{path.stem}: return {metrics['return']:.3f}, last {metrics['last']:.3f}", flush=True)


def collect_results(runs: Path, results: Path) -> None:
    """Add the results in the files of whole cells to the csv file."""
    rows = []
    for content in read_cells(runs):
        is_whole = content["env_steps"] == TASKS[content["env"]].training.env_steps
        if content["seed"] < 100 and is_whole:
            names = content["env"], content["method"], content["seed"]
            rows += metric_rows(names, content["metrics"])
    add_rows(results, COLUMNS, rows)
