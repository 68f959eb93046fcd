"""Results of `results/irl.csv` by environment and method.

`Scores`         values over seeds, by method, number of demonstrations and metric
`read_scores`    scores of each environment
`full_number`    number of demonstrations in the main tables
`TITLES`         titles of the metrics
`mean_interval`  bootstrap interval of a mean over seeds
`normalized_policies`  policies on a scale from random actions to the true reward
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["TITLES", "Scores", "full_number", "mean_interval", "normalized_policies", "read_scores"]

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
    "erc_pearson_base": "ERC Pearson",
    "step_pearson": "step: Pearson",
    "step_spearman": "Spearman",
    "step_epic": "EPIC",
    "progress_pearson": "progress: Pearson",
    "progress_spearman": "Spearman",
    "progress_epic": "EPIC",
    "step_pearson_mixed": "step: Pearson",
    "step_spearman_mixed": "Spearman",
    "step_epic_mixed": "EPIC",
    "progress_pearson_mixed": "progress: Pearson",
    "progress_spearman_mixed": "Spearman",
    "progress_epic_mixed": "EPIC",
    "policy_normalized": "normalized",
    "policy_return": "true return",
    "policy_success": "success",
    "policy_success_blocked": "blocked",
    "policy_success_heavy": "heavy",
    "policy_success_walls": "walls",
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


def full_number(scores: Scores) -> str:
    """Return the largest number of demonstrations: that of all tables that do not compare several numbers."""
    numbers = [int(number) for by_number in scores.values() for number in by_number]
    return str(max(numbers, default=0))


def mean_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % bootstrap interval of the mean over seeds; of one seed, its value twice."""
    if len(values) < 2:
        return values[0], values[0]
    interval = bootstrap_interval(np.array(values), np.random.default_rng(0), "mean")
    return interval.low, interval.high


def normalized_policies(
    rows: Mapping[tuple[str, ...], str], fixed_actions: str
) -> dict[tuple[str, ...], float]:
    """Return the rows of `policy_normalized` of all worlds in which both ends of the scale are known.

    Args:
        rows: values by world, method, seed, number of demonstrations and metric.
        fixed_actions: name of the cells with the returns of random actions and of the zero action.
    """
    ends: dict[tuple[str, str], list[float]] = defaultdict(list)
    for (world, method, _, _, metric), value in rows.items():
        if method == fixed_actions and metric.startswith("return_"):
            ends[world, metric].append(float(value))
        if method == "oracle" and metric == "policy_return":
            ends[world, "oracle"].append(float(value))
    normalized: dict[tuple[str, ...], float] = {}
    for (world, method, seed, demos, metric), value in rows.items():
        floors = [float(np.mean(x)) for (name, kind), x in ends.items() if name == world and kind != "oracle"]
        if metric != "policy_return" or not floors or (world, "oracle") not in ends:
            continue
        floor, best = max(floors), float(np.mean(ends[world, "oracle"]))
        if best > floor:
            normalized[world, method, seed, demos, "policy_normalized"] = (float(value) - floor) / (
                best - floor
            )
    return normalized
