"""Agreement of rewards with labels: numbers by hand and against scipy's interval."""

import numpy as np
import pytest
from homing_pairs import hills, ramp, true_preferences
from scipy.stats import binomtest

from rlpriors.evaluation.preferences.pair_accuracy import pair_agreement, score_pairs


def test_accuracy_and_log_loss_by_hand() -> None:
    log3 = np.log(3)
    scores = np.array([[0.0, log3], [log3, 0.0], [0.0, log3], [1.0, 1.0], [5.0, 0.0]])
    agreement = pair_agreement(scores, np.array([1, 0, 0, 1, -1]))
    assert agreement.n_pairs == 4  # the last pair is undecided
    assert agreement.accuracy.estimate == (1 + 1 + 0 + 0.5) / 4  # the tie counts half
    expected = -(2 * np.log(0.75) + np.log(0.25) + np.log(0.5)) / 4
    assert agreement.log_loss == pytest.approx(expected)


@pytest.mark.parametrize(("right", "n"), [(8, 10), (0, 5), (5, 5), (150, 200)])
def test_the_interval_is_wilsons(right: int, n: int) -> None:
    scores = np.array([[0.0, 1.0]] * right + [[1.0, 0.0]] * (n - right))
    accuracy = pair_agreement(scores, np.ones(n, np.int64)).accuracy
    wanted = binomtest(right, n).proportion_ci(method="wilson")
    assert (accuracy.low, accuracy.high) == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_sums_over_both_segments() -> None:
    data = ramp()
    pairs = true_preferences(data, 20, 3)
    doubled = score_pairs(lambda obs, act, obs_next, end: 2 * obs[:, 0], data, pairs)
    episode, start = pairs.clips[..., 0], pairs.clips[..., 1]
    assert np.array_equal(doubled, 2 * np.where(episode == 0, 1, -1) * (3 * start + 3))
    assert pair_agreement(doubled, pairs.labels).accuracy.estimate > 0.9  # a few sums are equal


def test_other_data_and_undecided_labels_are_refused() -> None:
    pairs = true_preferences(hills(), 5, 3)
    with pytest.raises(ValueError, match="fingerprint"):
        score_pairs(lambda obs, act, obs_next, end: obs[:, 0], hills(seed=1), pairs)
    with pytest.raises(ValueError, match="undecided"):
        pair_agreement(np.zeros((2, 2)), np.array([-1, -1]))
    with pytest.raises(ValueError, match="finite"):
        pair_agreement(np.full((2, 2), np.nan), np.array([0, 1]))
