"""How good is what was learnt: numbers with their uncertainty.

reward_distance.py  correlations of rewards, and EPIC: the same whatever shaping and scale
dard.py             DARD from samples: the same, where the dynamics lead
tabular.py          best policies, returns and occupancies where every state has a number
canonical.py        EPIC, DARD and STARC of reward tables, exact
trajectories.py     returns of whole episodes: ERC and preferences
coverages.py        which episodes were judged, saved
intervals.py        means and interquartile means with bootstrap intervals
"""

from rlpriors.evaluation.canonical import exact_dard, exact_epic, exact_starc
from rlpriors.evaluation.coverages import Coverage, read_coverages, three_coverages, write_coverages
from rlpriors.evaluation.dard import dard_distance
from rlpriors.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)
from rlpriors.evaluation.reward_distance import (
    canonical_reward,
    epic_distance,
    pearson,
    pearson_distance,
    spearman,
)
from rlpriors.evaluation.tabular import TabularMDP, normalised_return, reward_table
from rlpriors.evaluation.trajectories import (
    ReturnAgreement,
    episode_returns,
    preference_accuracy,
    return_agreement,
)

__all__ = [
    "Coverage",
    "Interval",
    "ReturnAgreement",
    "TabularMDP",
    "bootstrap_interval",
    "canonical_reward",
    "dard_distance",
    "epic_distance",
    "episode_returns",
    "exact_dard",
    "exact_epic",
    "exact_starc",
    "interquartile_mean",
    "normalised_return",
    "paired_difference",
    "pearson",
    "pearson_distance",
    "preference_accuracy",
    "probability_of_improvement",
    "read_coverages",
    "return_agreement",
    "reward_table",
    "spearman",
    "three_coverages",
    "write_coverages",
]
