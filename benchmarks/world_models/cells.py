"""Cells of the benchmark of learned worlds: data, a world, and rankings by it and by a baseline.

`COLUMNS`          columns of the csv
`DATA`             kinds of data
`Budget`           sizes of data, training and evaluation
`Cell`             environment, data and seed
`run_cell`         rankings of all policies, and their agreement with the simulator
`run_cells`        all cells whose files do not exist yet
`collect_results`  rows of the csv from the files of the cells
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from gymnasium.vector import AutoresetMode
from jaxtyping import Float
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.cells import add_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.world_models.catch_frames import learn_reward
from benchmarks.world_models.tasks import HORIZON, LEVELS, TASKS, action_errors, record
from rlpriors.agents import WorldModel, WorldModelTraining
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.envs.world_model_env import WorldModelEnv
from rlpriors.evaluation import policy_ranking
from rlpriors.training.offline import train_offline
from rlpriors.training.rollout import evaluate_policy
from rlpriors.wrappers.tianshou import GymnasiumVectorEnv

__all__ = ["COLUMNS", "DATA", "Budget", "Cell", "collect_results", "run_cell", "run_cells"]

COLUMNS = ("env", "data", "method", "seed", "metric", "value")
DATA = {"diverse": LEVELS, "expert": (0.0,)}
"""Probabilities of a random action in each kind of data."""


class Budget(NamedTuple):
    """Sizes of data, training and evaluation."""

    n_steps: int = 4000
    """Number of steps of the data."""
    updates: int = 1500
    """Number of updates of the world."""
    n_episodes: int = 16
    """Number of episodes of each policy, in the simulator and in the world."""


class Cell(NamedTuple):
    """One world."""

    env: str
    """Name of the task."""
    data: str
    """Kind of data."""
    seed: int
    """Random seed of data, training and evaluation."""
    budget: Budget
    """Sizes of data, training and evaluation."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        return f"{self.env}-{self.data}-seed{self.seed}-{'-'.join(map(str, self.budget))}.json"


def run_cell(cell: Cell, runs: Path) -> list[tuple[str, str, float]]:
    """Return method, metric and value of the rankings by the world and by the actions' errors.

    The world draws its start states from those of the simulator.  `mmrv` is a fraction of the range of real
    returns.  An interrupted training continues from its checkpoint in `runs`.
    """
    torch.set_num_threads(1)
    task, budget = TASKS[cell.env], cell.budget
    policies = task.policies()
    data = record(task, DATA[cell.data], budget.n_steps, cell.seed)
    space = task.make().observation_space
    model = WorldModel.fit(data, observation_space=space, seed=cell.seed)  # type: ignore[arg-type]
    train_offline(
        WorldModelTraining(model=model, optim=AdamOptimizerFactory(lr=1e-3), device="cpu", seed=cell.seed),
        to_buffer(data),
        folder=runs / Path(cell.file).stem,
        name="world",
        n_updates=budget.updates,
        batch_size=256,
        epoch_updates=min(500, budget.updates),
        resume=True,
        tracker="csv",
    )
    real = [
        evaluate_policy(policy, task.make, budget.n_episodes, seed=500 + cell.seed)
        for policy in policies.values()
    ]
    starts = real[0].obs[real[0].step_starts + np.arange(budget.n_episodes)]
    world = WorldModelEnv(
        model,
        starts,
        task.reward or learn_reward(data, cell.seed),
        HORIZON,
        num_envs=budget.n_episodes,
        autoreset_mode=AutoresetMode.DISABLED,
    )
    imagined = [
        evaluate_policy(policy, GymnasiumVectorEnv(world), budget.n_episodes, seed=500 + cell.seed)
        for policy in policies.values()
    ]
    truth, predicted = _returns(real), _returns(imagined)
    rows = _agreement("model", predicted, truth, cell.seed)
    rows += _agreement("action-mse", -action_errors(policies, data)[:, None], truth, cell.seed)
    columns = (("real", truth), ("model", predicted))
    return rows + [
        (f"return:{kind}", name, float(value))
        for kind, returns in columns
        for name, value in zip(policies, returns.mean(1), strict=True)
    ]


def _returns(stores: Iterable[EpisodeStore]) -> Float[np.ndarray, "policies episodes"]:
    return np.array([np.add.reduceat(store.rew.astype(np.float64), store.step_starts) for store in stores])


def _agreement(
    method: str, predicted: np.ndarray, truth: np.ndarray, seed: int
) -> list[tuple[str, str, float]]:
    """Return the agreement of a ranking with the simulator's; 0 for correlations with a constant."""
    scale = np.ptp(truth.mean(1))
    if np.ptp(predicted.mean(1)) <= 1e-12 * np.abs(predicted).max():
        return [(method, "spearman", 0.0), (method, "pearson", 0.0)]
    ranking = policy_ranking(predicted, truth, np.random.default_rng(seed))
    return [
        (method, "spearman", ranking.spearman.estimate),
        (method, "spearman low", ranking.spearman.low),
        (method, "pearson", ranking.pearson.estimate),
        (method, "mmrv", ranking.mmrv.estimate / scale),
    ]


def run_cells(cells: Iterable[Cell], runs: Path) -> None:
    """Run all cells without a file in `runs`, one after the other."""
    for cell in unfinished(cells, runs):
        rows = run_cell(cell, runs)
        path = runs / cell.file
        write_cell(path, {**cell._asdict(), "rows": rows})
        found = {(method, metric): value for method, metric, value in rows}
        numbers = [f"{method} {found[method, 'spearman']:.2f}" for method in ("model", "action-mse")]
        print(f"{path.stem}: Spearman {', '.join(numbers)}", flush=True)


def collect_results(runs: Path, results: Path, budget: Budget) -> None:
    """Add the results in the files of cells with this budget to the csv file."""
    rows = []
    for content in read_cells(runs):
        if content["seed"] < 100 and Budget(*content["budget"]) == budget:
            for method, metric, value in content["rows"]:
                names = content["env"], content["data"], method, content["seed"]
                rows += metric_rows(names, {metric: value})
    add_rows(results, COLUMNS, rows)
