"""How good is what was learnt: numbers with their uncertainty.

reward_distance.py  correlations of rewards, and EPIC: the same whatever shaping and scale
intervals.py        means and interquartile means with bootstrap intervals
"""

from rlpriors.evaluation.intervals import Interval, bootstrap_interval, interquartile_mean
from rlpriors.evaluation.reward_distance import (
    canonical_reward,
    epic_distance,
    pearson,
    pearson_distance,
    spearman,
)

__all__ = [
    "Interval",
    "bootstrap_interval",
    "canonical_reward",
    "epic_distance",
    "interquartile_mean",
    "pearson",
    "pearson_distance",
    "spearman",
]
