"""How good is what was learnt: numbers with their uncertainty.

reward_distance.py  correlations of rewards, and EPIC: the same whatever shaping and scale
dard.py             DARD from samples: the same, where the dynamics lead
tabular.py          best policies, returns and occupancies where every state has a number
canonical.py        EPIC, DARD and STARC of reward tables, exact
intervals.py        means and interquartile means with bootstrap intervals
"""

from rlpriors.evaluation.canonical import exact_dard, exact_epic, exact_starc
from rlpriors.evaluation.dard import dard_distance
from rlpriors.evaluation.intervals import Interval, bootstrap_interval, interquartile_mean
from rlpriors.evaluation.reward_distance import (
    canonical_reward,
    epic_distance,
    pearson,
    pearson_distance,
    spearman,
)
from rlpriors.evaluation.tabular import TabularMDP, normalised_return, reward_table

__all__ = [
    "Interval",
    "TabularMDP",
    "bootstrap_interval",
    "canonical_reward",
    "dard_distance",
    "epic_distance",
    "exact_dard",
    "exact_epic",
    "exact_starc",
    "interquartile_mean",
    "normalised_return",
    "pearson",
    "pearson_distance",
    "reward_table",
    "spearman",
]
