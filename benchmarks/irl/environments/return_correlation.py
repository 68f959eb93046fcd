"""Correlation of episode returns between a reward and the true reward.

`return_correlations`   correlations on each set of episodes
`save_trajectory_sets`  record of the episodes in each set, in `results/trajectory_sets/`
"""

from pathlib import Path

import numpy as np
import torch

from benchmarks.irl.environments.base import Metrics
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.return_correlation import episode_returns, return_agreement
from rlpriors.evaluation.rewards.trajectory_sets import TrajectorySet, write_trajectory_sets
from rlpriors.types import RewardFn

__all__ = ["return_correlations", "save_trajectory_sets"]

FOLDER = Path(__file__).parents[2] / "results" / "trajectory_sets"


def return_correlations(reward: RewardFn, truth: RewardFn | None, sets: tuple[TrajectorySet, ...]) -> Metrics:
    """Return the correlations of episode returns on each set; returns are per step where lengths differ."""
    metrics: Metrics = {}
    for trajectory_set in sets:
        store = trajectory_set.store
        per_step = len(np.unique(store.lengths)) > 1
        with torch.no_grad():
            learned = episode_returns(reward, store, per_step=per_step)
            true = episode_returns(truth, store, per_step=per_step)
        correlation = return_agreement(learned, true)
        metrics[f"erc_pearson_{trajectory_set.name}"] = correlation.pearson
        metrics[f"erc_spearman_{trajectory_set.name}"] = correlation.spearman
        metrics[f"preference_{trajectory_set.name}"] = correlation.preference
    return metrics


def save_trajectory_sets(name: str, sets: tuple[TrajectorySet, ...], stores: dict[str, EpisodeStore]) -> None:
    """Save the numbers of the episodes in each set; call this for full budgets only."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    write_trajectory_sets(FOLDER / f"{name}.json", sets, stores)
