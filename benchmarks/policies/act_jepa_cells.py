"""Cells of the comparison of ACT-JEPA with ACT: one training each, and its evaluations.

`COLUMNS`   columns of the csv
`METHODS`   settings of each method
`Budget`    sizes of trainings and evaluations
`Cell`      environment, method, number of demonstrations and seed
`run_cell`  one training, and its values
`probe_r2`  linear probe of the position `ahead` steps later
"""

from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from tianshou.algorithm.optim import AdamOptimizerFactory

from benchmarks.policies.act_jepa_worlds import MAZES, OBS_KEYS
from rlpriors.agents import ActJEPA, ActJEPAPolicy, ActJEPASettings, CosineSchedule
from rlpriors.agents.imitation.act_jepa.networks import ObservationEncoder
from rlpriors.data.buffers import to_buffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.training.offline import train_offline
from rlpriors.training.rollout import evaluate_policy

__all__ = ["COLUMNS", "METHODS", "Budget", "Cell", "probe_r2", "run_cell"]

COLUMNS = ("env", "method", "demos", "seed", "metric", "value")

SETTINGS = ActJEPASettings(
    horizon=8, replan_every=4, tokens=2, width=64, blocks=1, predictor_width=32, dropout=0.0
)

METHODS = {
    "act": replace(SETTINGS, latent_weight=0.0),
    "act-jepa": SETTINGS,
    "act-jepa+observations": SETTINGS,
}
"""ACT is the same network without the latent loss; the third method has a first stage on episodes without
actions."""


class Budget(NamedTuple):
    """Sizes of trainings and evaluations."""

    updates: int = 2000
    """Number of updates on demonstrations."""
    first_updates: int = 2000
    """Number of updates of the first stage."""
    n_observed: int = 100
    """Number of episodes without actions."""
    n_episodes: int = 40
    """Number of episodes of an evaluation."""
    latent_weight: float = 1.0
    """Weight of the latent loss."""
    lr: float = 1e-3
    """Learning rate."""


class Cell(NamedTuple):
    """One training."""

    env: str
    """Name of the environment, of `MAZES`."""
    method: str
    """Name of the method, of `METHODS`."""
    n_demos: int
    """Number of demonstrations."""
    seed: int
    """Random seed of demonstrations, training and evaluation."""
    budget: Budget
    """Sizes of trainings and evaluations."""

    @property
    def file(self) -> str:
        """Name of the file of the cell's results."""
        sizes = "-".join(f"{size:g}" for size in self.budget)
        return f"{self.env}-{self.method}-{self.n_demos}-seed{self.seed}-{sizes}.json"


def run_cell(cell: Cell, runs: Path) -> list[tuple[str, float]]:
    """Return metrics and values of a training; an interrupted one continues from its checkpoint."""
    torch.set_num_threads(1)
    maze, budget, folder = MAZES[cell.env], cell.budget, runs / Path(cell.file).stem
    data = maze.demonstrations(cell.n_demos, cell.seed)
    space = maze.make().action_space
    settings = METHODS[cell.method]
    if settings.latent_weight:
        settings = replace(settings, latent_weight=budget.latent_weight)
    observed = None
    if cell.method == "act-jepa+observations":
        observed = maze.recorded(runs, budget.n_observed, 50_000 + cell.seed)
    policy = ActJEPAPolicy.fit(
        data, space, action_free=observed, settings=settings, device="cpu", seed=cell.seed
    )
    target = None
    if observed is not None:
        target = _train(policy, observed, folder, "first", budget.first_updates, cell, read_actions=False)
    _train(policy, data, folder, "policy", budget.updates, cell, target=target)
    episodes = evaluate_policy(policy, maze.make, budget.n_episodes, seed=1000 + cell.seed, obs_keys=OBS_KEYS)
    ends = episodes.step_starts + episodes.lengths - 1
    held_out = maze.recorded(runs, 30, 90_000 + cell.seed)
    return [
        ("success", float(episodes.terminated[ends].mean())),
        ("probe_r2", probe_r2(policy.features(held_out.obs).numpy(), held_out)),
        ("raw_probe_r2", probe_r2(held_out.obs, held_out)),
    ]


def probe_r2(features: Float[np.ndarray, "observations width"], data: EpisodeStore, ahead: int = 24) -> float:
    """Return the R2 of a linear probe for the position `ahead` steps later, on the last third of episodes."""
    time = np.arange(data.n_steps) - data.step_starts[data.episode_of]
    steps = np.flatnonzero(time + ahead <= data.lengths[data.episode_of])
    now = data.obs_index(steps)
    x = np.column_stack([features[now], np.ones(len(now))]).astype(np.float64)
    y = (data.obs[now + ahead] - data.obs[now])[:, :2].astype(np.float64)
    train = data.episode_of[steps] < data.n_episodes * 2 // 3
    gram = x[train].T @ x[train] + 1e-3 * np.eye(x.shape[1])
    predicted = x[~train] @ np.linalg.solve(gram, x[train].T @ y[train])
    residual = ((y[~train] - predicted) ** 2).sum()
    return float(1 - residual / ((y[~train] - y[~train].mean(0)) ** 2).sum())


def _train(
    policy: ActJEPAPolicy,
    data: EpisodeStore,
    folder: Path,
    name: str,
    n_updates: int,
    cell: Cell,
    *,
    target: ObservationEncoder | None = None,
    read_actions: bool = True,
) -> ObservationEncoder:
    schedule = CosineSchedule(n_updates, warm_up=min(100, n_updates // 2))
    algorithm = ActJEPA(
        policy=policy,
        optim=AdamOptimizerFactory(lr=cell.budget.lr).with_lr_scheduler_factory(schedule),
        n_updates=n_updates,
        read_actions=read_actions,
        target=target,
        seed=cell.seed,
    )
    train_offline(
        algorithm,
        to_buffer(data),
        folder=folder,
        name=name,
        n_updates=n_updates,
        batch_size=64,
        epoch_updates=min(500, n_updates),
        resume=True,
        tracker="csv",
    )
    return algorithm.target
