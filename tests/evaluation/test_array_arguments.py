import numpy as np
import pytest
import torch

from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.domain_distance import domain_auc, frechet_distance
from rlpriors.evaluation.intervals import (
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)
from rlpriors.evaluation.probing.behavior import collapse_statistics
from rlpriors.evaluation.probing.metrics import classification_scores
from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.evaluation.probing.regression_probe import knn_accuracy, ridge_r2
from rlpriors.evaluation.rewards.epic import pearson, pearson_distance, spearman
from rlpriors.evaluation.rewards.return_correlation import preference_accuracy, return_agreement
from rlpriors.evaluation.rewards.tabular_distances import epic_canonical, exact_epic
from rlpriors.evaluation.rewards.value_iteration import soft_policy, value_iteration
from rlpriors.evaluation.segmentation.metrics import segmentation_scores
from rlpriors.evaluation.segmentation.plots import compare_masks, overlay


@array_arguments(scores=2, weights=1)
def weighted(scores, weights=None):
    return scores, weights


@pytest.mark.parametrize(
    "scores", [[[1.0, 2.0]], ((1.0, 2.0),), np.array([[1.0, 2.0]]), torch.tensor([[1.0, 2.0]])]
)
def test_conversion(scores):
    array, weights = weighted(scores, weights=[3])
    assert isinstance(array, np.ndarray)
    assert array.tolist() == [[1.0, 2.0]]
    assert weights.tolist() == [3]
    assert weighted(scores)[1] is None
    assert weighted(scores, None)[1] is None


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        ([1.0], r"`scores` must have at least 2 dimensions\. Received shape \(1,\); pass an array\."),
        (1.0, r"`scores` must have at least 2 dimensions\. Received shape \(\)"),
        ("abc", r"`scores` must be an array of numbers\. Received 'abc'"),
        (None, r"`scores` must be an array of numbers\. Received None"),
        ([[1.0], [1.0, 2.0]], r"`scores` must be an array of numbers\. Received \[\[1"),
    ],
)
def test_errors(scores, message):
    with pytest.raises(ValueError, match=message):
        weighted(scores)


def test_lists_work():
    rng = np.random.default_rng(0)
    assert interquartile_mean([1.0, 2.0, 3.0, 10.0]) == 2.5
    assert pearson([1.0, 2.0, 3.0], [2.0, 4.0, 6.0]) == pytest.approx(1.0)
    assert spearman([1.0, 2.0, 3.0], [1.0, 4.0, 9.0]) == pytest.approx(1.0)
    assert preference_accuracy([1.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == 1.0
    assert rankme([[1.0, 0.0], [0.0, 1.0]]) == pytest.approx(2.0)
    assert bootstrap_interval([2.0, 2.0, 2.0], rng).low == 2.0


POINT, ROW = np.array(1.0), np.arange(4.0)
CALLS = {
    domain_auc: lambda x: domain_auc(x, x, seed=0),
    frechet_distance: lambda x: frechet_distance(x, x),
    bootstrap_interval: lambda x: bootstrap_interval(x, np.random.default_rng(0)),
    interquartile_mean: interquartile_mean,
    paired_difference: lambda x: paired_difference(x, x, np.random.default_rng(0)),
    probability_of_improvement: lambda x: probability_of_improvement(x, x, np.random.default_rng(0)),
    collapse_statistics: collapse_statistics,
    classification_scores: lambda x: classification_scores(x, x),
    feature_std: feature_std,
    rankme: rankme,
    knn_accuracy: lambda x: knn_accuracy(x, x, x, x),
    ridge_r2: lambda x: ridge_r2(x, x, x, x, x),
    pearson: lambda x: pearson(x, x),
    pearson_distance: lambda x: pearson_distance(x, x),
    spearman: lambda x: spearman(x, x),
    preference_accuracy: lambda x: preference_accuracy(x, x),
    return_agreement: lambda x: return_agreement(x, x),
    epic_canonical: lambda x: epic_canonical(x, 0.9),
    exact_epic: lambda x: exact_epic(x, x, 0.9),
    soft_policy: lambda x: soft_policy(x, 1.0),
    value_iteration: lambda x: value_iteration(x, x, gamma=0.9),
    segmentation_scores: lambda x: segmentation_scores(x, x, 2),
    compare_masks: lambda x: compare_masks(x, x, x),
    overlay: lambda x: overlay(x, x),
}


@pytest.mark.parametrize("function", CALLS, ids=lambda function: function.__name__)
@pytest.mark.parametrize("value", [POINT, 3.0, "abc", None], ids=["0-d", "number", "text", "None"])
@pytest.mark.usefixtures("without_type_checks")
def test_no_array_is_a_clear_error(function, value):
    with pytest.raises(ValueError, match=r"must .*[Rr]eceived"):
        CALLS[function](value)


TWO_DIMS = (rankme, feature_std, knn_accuracy, ridge_r2, epic_canonical, exact_epic, value_iteration, overlay)


@pytest.mark.parametrize("function", TWO_DIMS, ids=lambda function: function.__name__)
@pytest.mark.usefixtures("without_type_checks")
def test_one_dimension_is_a_clear_error_where_rows_are_needed(function):
    with pytest.raises(ValueError, match="dimensions"):
        CALLS[function](ROW)
