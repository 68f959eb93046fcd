"""Evaluation of rewards and representations: numbers with their uncertainty.

The package knows no reward model: it takes any `RewardFn`, and features as arrays.

`intervals`        means and interquartile means with bootstrap intervals
`domain_distance`  distances between sets of images
`policy_ranking`   ranking of policies in a learned world
`preferences`      agreement with labeled pairs, order of values along successes
`rewards`          distances and return agreement of rewards, tabular processes
`rollouts`         comparison of a policy's rollouts with demonstrations
`probing`          linear and regression probes of representations, rank measures
`segmentation`     training and metrics of segmentation heads over encoders
"""

from rlpriors.evaluation.domain_distance import FixedFeatures, domain_auc, frechet_distance
from rlpriors.evaluation.intervals import (
    Interval,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)
from rlpriors.evaluation.policy_ranking import (
    PolicyRanking,
    mean_maximum_rank_violation,
    policy_ranking,
)
from rlpriors.evaluation.preferences.pair_accuracy import PairAgreement, pair_agreement, score_pairs
from rlpriors.evaluation.preferences.value_order import ValueOrder, value_order, value_order_correlation
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask, frame_keys, make_task
from rlpriors.evaluation.probing.linear_probe import downsample, majority_baseline, probe
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
from rlpriors.evaluation.rewards.max_ent_irl import MaxEntIRL, max_ent_irl, state_visits
from rlpriors.evaluation.rewards.policy_regret import policy_regret
from rlpriors.evaluation.rewards.return_correlation import (
    ReturnAgreement,
    episode_returns,
    preference_accuracy,
    return_agreement,
)
from rlpriors.evaluation.rewards.tabular_distances import exact_dard, exact_epic, exact_starc
from rlpriors.evaluation.rewards.tabular_mdp import TabularMDP, normalized_return, reward_table
from rlpriors.evaluation.rewards.trajectory_sets import (
    TrajectorySet,
    make_trajectory_sets,
    read_trajectory_sets,
    write_trajectory_sets,
)
from rlpriors.evaluation.segmentation.metrics import SegmentationScores, segmentation_scores
from rlpriors.evaluation.segmentation.segmenter import Segmenter, predict
from rlpriors.evaluation.segmentation.training import SegmentationSettings, fit_segmenter

__all__ = [
    "FixedFeatures",
    "Interval",
    "MaxEntIRL",
    "PairAgreement",
    "PolicyRanking",
    "ProbeScores",
    "ProbeSettings",
    "ProbeTask",
    "ReturnAgreement",
    "Scores",
    "SegmentationScores",
    "SegmentationSettings",
    "Segmenter",
    "TabularMDP",
    "TrajectorySet",
    "ValueOrder",
    "behavior_labels",
    "bootstrap_interval",
    "canonical_reward",
    "dard_distance",
    "domain_auc",
    "downsample",
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
    "majority_baseline",
    "make_task",
    "make_trajectory_sets",
    "max_ent_irl",
    "mean_maximum_rank_violation",
    "normalized_return",
    "pair_agreement",
    "paired_difference",
    "pearson",
    "pearson_distance",
    "policy_ranking",
    "policy_regret",
    "predict",
    "preference_accuracy",
    "probability_of_improvement",
    "probe",
    "rankme",
    "read_trajectory_sets",
    "return_agreement",
    "reward_table",
    "ridge_r2",
    "score_pairs",
    "segmentation_scores",
    "spearman",
    "state_visits",
    "value_order",
    "value_order_correlation",
    "write_trajectory_sets",
]
