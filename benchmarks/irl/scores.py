"""Results of `results/irl.csv` by environment and method.

`Scores`         values over seeds, by method, number of demonstrations and metric
`read_scores`    scores of each environment
`TITLES`         titles of the metrics
`mean_interval`  bootstrap interval of a mean over seeds
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["N_DEMONSTRATIONS", "TITLES", "Scores", "mean_interval", "read_scores"]

N_DEMONSTRATIONS = "20"
"""Number of demonstrations in all tables and figures that do not compare several numbers."""

TITLES = {
    "success": "success",
    "return": "return",
    "normalized": "normalized",
    "length": "steps",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "pearson_data": "Pearson, data",
    "spearman_data": "Spearman, data",
    "pearson_goal": "Pearson, goal",
    "epic": "EPIC",
    "epic_goal": "EPIC, goal",
    "pearson_distance": "Pearson distance",
    "starc_goal": "STARC, goal",
    "dard_goal": "DARD, goal",
    "erc_pearson_mixed": "ERC Pearson",
    "violations": "violations",
    "rl_success_same": "RL",
    "rl_normalized_same": "RL, normalized",
    "rl_success_blocked": "RL, blocked",
    "rl_success_heavy": "RL, heavy",
    "rl_success_walls": "RL, walls",
    "rl_success_slip": "RL, slip",
    "update_ms": "ms / update",
    "seconds": "seconds",
    "peak_mib": "peak MiB",
}
"""Metrics of the tables."""

Scores = dict[str, dict[str, dict[str, list[float]]]]


def read_scores(rows: Sequence[Sequence[str]]) -> dict[str, Scores]:
    """Return the scores of each environment from rows of the csv."""
    by_environment: dict[str, Scores] = {}
    for environment, method, _, n_demonstrations, metric, value in rows:
        scores = by_environment.setdefault(
            environment, defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
        )
        scores[method][n_demonstrations][metric].append(float(value))
    return dict(sorted(by_environment.items()))


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over seeds; of one seed, its value twice."""
    if len(values) < 2:
        return values[0], values[0]
    interval = bootstrap_interval(np.array(values), np.random.default_rng(0), "mean")
    return interval.low, interval.high
