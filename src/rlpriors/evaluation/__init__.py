"""How good is what was learnt: numbers with their uncertainty.

reward_distance.py  correlations of rewards, and EPIC: the same whatever shaping and scale
dard.py             DARD from samples: the same, where the dynamics lead
tabular.py          best policies, returns and occupancies where every state has a number
canonical.py        EPIC, DARD and STARC of reward tables, exact
trajectories.py     returns of whole episodes: ERC and preferences
coverages.py        which episodes were judged, saved
intervals.py        means and interquartile means with bootstrap intervals
probes.py           what a representation knows, by AtariARI's linear probes
probe_labels.py     what is asked of it, and on which frames
probe_training.py   the linear layer that answers
probe_layer.py      what it is made of
supervised.py       the ceiling: a network that is told
probe_scores.py     F1 and accuracy, by variable and by category
state_probes.py     the same for continuous states, rewards and actions
collapse.py         whether a representation uses its dimensions
segmentation.py     what an encoder knows of each pixel: training a head, or everything
segmenter.py        the encoder and the head that it trains
segmentation_scores.py    intersection over union of masks
segmentation_pictures.py  masks to look at
domain_distance.py  how far two sets of images lie apart
"""

from rlpriors.evaluation.domain_distance import FixedFeatures, domain_auc, frechet_distance
from rlpriors.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask, frame_keys, make_task
from rlpriors.evaluation.probing.linear_probe import majority, probe, shrink
from rlpriors.evaluation.probing.metrics import ProbeScores, Scores
from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.evaluation.probing.regression_probe import behavior_labels, knn_accuracy, ridge_r2
from rlpriors.evaluation.rewards.dard import dard_distance
from rlpriors.evaluation.rewards.epic import (
    canonical_reward,
    epic_distance,
    pearson,
    pearson_distance,
    spearman,
)
from rlpriors.evaluation.rewards.return_correlation import (
    ReturnAgreement,
    episode_returns,
    preference_accuracy,
    return_agreement,
)
from rlpriors.evaluation.rewards.tabular_distances import exact_dard, exact_epic, exact_starc
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP, normalized_return, reward_table
from rlpriors.evaluation.rewards.trajectory_sets import (
    Coverage,
    read_coverages,
    three_coverages,
    write_coverages,
)
from rlpriors.evaluation.segmentation.metrics import SegmentationScores, segmentation_scores
from rlpriors.evaluation.segmentation.segmenter import Segmenter, predict
from rlpriors.evaluation.segmentation.training import SegmentationSettings, fit_segmenter

__all__ = [
    "Coverage",
    "FixedFeatures",
    "Interval",
    "ProbeScores",
    "ProbeSettings",
    "ProbeTask",
    "ReturnAgreement",
    "Scores",
    "SegmentationScores",
    "SegmentationSettings",
    "Segmenter",
    "TabularMDP",
    "behavior_labels",
    "bootstrap_interval",
    "canonical_reward",
    "dard_distance",
    "domain_auc",
    "epic_distance",
    "episode_returns",
    "exact_dard",
    "exact_epic",
    "exact_starc",
    "feature_std",
    "fit_segmenter",
    "frame_keys",
    "frechet_distance",
    "interquartile_mean",
    "knn_accuracy",
    "majority",
    "make_task",
    "normalized_return",
    "paired_difference",
    "pearson",
    "pearson_distance",
    "predict",
    "preference_accuracy",
    "probability_of_improvement",
    "probe",
    "rankme",
    "read_coverages",
    "return_agreement",
    "reward_table",
    "ridge_r2",
    "segmentation_scores",
    "shrink",
    "spearman",
    "three_coverages",
    "write_coverages",
]
