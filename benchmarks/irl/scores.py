"""The numbers of `irl.csv`, by world and method.

`Scores`    values over seeds, by method, number of demonstrations and metric
`read`      those of each world
`TITLES`    what metrics are called
`interval`  of a mean over seeds
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["DEMOS", "TITLES", "Scores", "interval", "read"]

DEMOS = "20"
"""The number of demonstrations that tables and figures are of, unless they compare several."""

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
"""The metrics that the tables show, in this order."""

Scores = dict[str, dict[str, dict[str, list[float]]]]


def read(rows: Sequence[Sequence[str]]) -> dict[str, Scores]:
    """By world, what rows (world, method, seed, demos, metric, value) say."""
    by_world: dict[str, Scores] = {}
    for world, method, _, demos, metric, value in rows:
        scores = by_world.setdefault(world, defaultdict(lambda: defaultdict(lambda: defaultdict(list))))
        scores[method][demos][metric].append(float(value))
    return dict(sorted(by_world.items()))


def interval(values: Sequence[float]) -> tuple[float, float]:
    """The 95 % bootstrap interval of the mean over seeds; of one seed, its value."""
    if len(values) < 2:
        return values[0], values[0]
    found = bootstrap_interval(np.array(values), np.random.default_rng(0), "mean")
    return found.low, found.high
