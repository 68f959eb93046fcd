"""Cells of the benchmark: data, a policy learned from them, and their numbers.

`COLUMNS`          columns of the csv
`CONTROL`          method with a larger weight of the action values
`METHODS`          references, and policies of an algorithm and its data
`Budget`           sizes of data, trainings and evaluation
`Cell`             environment, method and seed
`run_cell`         numbers of one cell
`run_cells`        all cells whose files do not exist yet
`collect_results`  rows of the csv from the files of the cells

A strength above 0 guides the synthetic data by the policy that the same algorithm learned from the real data.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tianshou.algorithm.algorithm_base import Policy

from benchmarks.cells import add_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.preferences.methods import IQL
from benchmarks.synthetic_data.targets import log_likelihood, policy_target
from benchmarks.synthetic_data.tasks import TASKS, Task
from rlpriors.agents import (
    DiffuserPolicy,
    OfflineSettings,
    PolicyGuidance,
    TrajectoryLayout,
    synthesize,
)
from rlpriors.agents.offline.seeded_training import reward_factor
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.offline_policy import train_offline_policy
from rlpriors.training.reward_learning.stages import make_planner, train_prior

__all__ = ["COLUMNS", "CONTROL", "METHODS", "Budget", "Cell", "collect_results", "run_cell", "run_cells"]

COLUMNS = ("env", "method", "seed", "metric", "value")
STRENGTHS = (0.0, 0.1, 0.3, 1.0, 3.0)
"""Strengths of the guidance at which samples are measured; 0 is unguided."""
TRAINED = (0.0, 0.3, 1.0)
"""Strengths at which policies are trained."""
ALGORITHMS = {"td3-bc": replace(IQL, algorithm="td3-bc", td3_bc_alpha=10.0), "iql": IQL}
"""Algorithms: the settings of the preference benchmark.  The weight of TD3+BC's action values was the better
of 2.5 and 10 on the seeds 100 and 101 (pendulum) and 100 (umaze)."""
CONTROL = "td3-bc-40/real"
"""TD3+BC with a four times larger weight of the action values.  Guided actions are near the policy's own, so
they weaken the pull toward the recorded actions, as this weight does."""
METHODS = (
    "behavior",
    *(f"{name}/{data}" for name in ALGORITHMS for data in ("real", *(f"{c:g}" for c in STRENGTHS))),
    CONTROL,
)
"""Names of methods: the data and the expert, an algorithm with "real" or the strength of its data, and the
control."""


class Budget(NamedTuple):
    """Sizes of data, trainings and evaluation."""

    horizon: int = 16
    """Number of time steps of a synthetic trajectory."""
    prior_updates: int = 2500
    """Number of updates of the prior."""
    policy_updates: int = 3000
    """Number of updates of a policy, on any data."""
    n_trajectories: int = 512
    """Number of synthetic trajectories."""
    n_checked: int = 1000
    """Number of synthetic transitions that are compared with the simulator."""


class Cell(NamedTuple):
    """One method with one seed."""

    env: str
    """Name of the task."""
    method: str
    """Name of the method."""
    seed: int
    """Random seed."""
    budget: Budget = Budget()
    """Sizes of data, trainings and evaluation."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        return f"{self.env}-{self.method.replace('/', '-')}-seed{self.seed}.json"


def run_cell(cell: Cell, runs: Path) -> dict[str, float]:
    """Return the metrics of a cell.

    Returns are means of 20 episodes.  `log_likelihood` is that of the actions of the cell's data under the
    policy of the real data, and `dynamics_error` the mean distance of their next observations to the
    simulator's, in standard deviations of the real observations.

    Args:
        cell: method and seed.
        runs: folder of the trainings, which the cells of a seed share.  A training that was stopped resumes.
    """
    torch.set_num_threads(1)
    task, start = TASKS[cell.env], time.process_time()
    real = _recorded(cell.env, cell.seed)
    if cell.method == "behavior":
        return _references(task, real, cell.seed)
    algorithm, data = cell.method.split("/")
    settings = ALGORITHMS.get(algorithm) or replace(ALGORITHMS["td3-bc"], td3_bc_alpha=40.0)
    settings = replace(settings, reward_scale=reward_factor(real))
    folder = runs / f"{cell.env}-seed{cell.seed}"
    policy = _train(real, settings, folder / f"{algorithm}-real", cell)
    target = policy_target(policy)
    if data == "real":
        metrics = {"log_likelihood": log_likelihood(target, real)}
    else:
        prior = _prior(task, real, folder, cell)
        synthetic = synthesize(
            prior,
            target,
            real,
            n_trajectories=cell.budget.n_trajectories,
            reward=task.reward,
            settings=PolicyGuidance(strength=float(data)),
            seed=cell.seed,
            progress=False,
        )
        scale = real.obs.std(0)
        error = task.dynamics_error(synthetic, scale, cell.budget.n_checked, cell.seed)
        metrics = {"log_likelihood": log_likelihood(target, synthetic), "dynamics_error": error}
        if float(data) not in TRAINED:
            return metrics
        policy = _train(_join(real, synthetic), settings, folder / f"{algorithm}-{data}", cell)
    metrics["return"] = task.world.mean_return(policy, cell.seed)
    return {**metrics, "cpu_seconds": time.process_time() - start}


@lru_cache(maxsize=1)  # the cells of a seed follow each other
def _recorded(env: str, seed: int) -> EpisodeStore:
    return TASKS[env].data(seed)


def _references(task: Task, real: EpisodeStore, seed: int) -> dict[str, float]:
    """Return the mean returns of data and expert, and the mean length of a step of the real data."""
    steps = real.transitions()
    moved = (steps.obs_next - steps.obs).numpy() / real.obs.std(0)
    returns = {"return": real, "expert_return": task.expert(seed)}
    means = {
        name: float(store.rew.sum(dtype=np.float64) / store.n_episodes) for name, store in returns.items()
    }
    return {**means, "step_length": float(np.linalg.norm(moved, axis=1).mean())}


def _prior(task: Task, real: EpisodeStore, folder: Path, cell: Cell) -> DiffuserPolicy:
    layout = TrajectoryLayout.fit(real, horizon=cell.budget.horizon)
    prior = make_planner(layout, task.world.spaces[1], device="cpu", seed=cell.seed)
    n = cell.budget.prior_updates
    train_prior(
        prior,
        real,
        folder=folder,
        n_updates=n,
        checkpoint_every=min(500, n),
        seed=cell.seed,
        resume=True,
        tracker="csv",
    )
    return prior


def _train(data: EpisodeStore, settings: OfflineSettings, folder: Path, cell: Cell) -> Policy:
    n = cell.budget.policy_updates
    return train_offline_policy(
        data,
        settings,
        folder=folder,
        n_updates=n,
        checkpoint_every=min(1000, n),
        device="cpu",
        seed=cell.seed,
        resume=True,
        tracker="csv",
    )


def _join(real: EpisodeStore, synthetic: EpisodeStore) -> EpisodeStore:
    episodes = [store.episode(i) for store in (real, synthetic) for i in range(store.n_episodes)]
    return EpisodeStore.from_episodes(episodes, action_space=real.action_space)


def run_cells(cells: Iterable[Cell], runs: Path) -> None:
    """Run all cells without a file in `runs`, one after the other."""
    for cell in unfinished(cells, runs):
        metrics = run_cell(cell, runs)
        write_cell(runs / cell.file, {**cell._asdict(), "metrics": metrics})
        numbers = ", ".join(f"{name} {value:.4g}" for name, value in metrics.items())
        print(f"{cell.env} {cell.method} seed {cell.seed}: {numbers}", flush=True)


def collect_results(runs: Path, results: Path, budget: Budget) -> None:
    """Add the results in the files of cells with this budget to the csv; seeds from 100 on are left out."""
    rows = []
    for content in read_cells(runs):
        if content["seed"] < 100 and Budget(*content["budget"]) == budget:
            rows += metric_rows((content["env"], content["method"], content["seed"]), content["metrics"])
    add_rows(results, COLUMNS, rows, key)


def key(row: Sequence[str]) -> tuple[str, int, int, str]:
    """Return the place of a row in the csv: environment, method in the order of `METHODS`, seed, metric."""
    return row[0], METHODS.index(row[1]), int(row[2]), row[3]
