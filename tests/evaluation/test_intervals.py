import numpy as np
import pytest

from rlpriors.evaluation import (
    Interval,
    bootstrap_interval,
    interquartile_mean,
    paired_difference,
    probability_of_improvement,
)


def rng(seed=0):
    return np.random.default_rng(seed)


def test_interquartile_mean_by_hand():
    # Of eight, two go at each end: (3 + 4 + 5 + 6) / 4.
    assert interquartile_mean(np.array([100.0, 3.0, 4.0, 1.0, 6.0, 5.0, -90.0, 8.0])) == 4.5
    assert interquartile_mean(np.array([1.0, 2.0, 9.0])) == 4.0  # too few to cut any
    assert interquartile_mean(np.arange(16.0).reshape(4, 4)) == 7.5


def test_interval_of_two_values_by_hand():
    # Each mean of two draws from {0, 1} is 0, 1/2 or 1, with chances 1/4, 1/2, 1/4.
    scores = np.array([0.0, 1.0])
    assert bootstrap_interval(scores, rng(), "mean") == Interval(0.5, 0.0, 1.0)
    assert bootstrap_interval(scores, rng(), "mean", confidence=0.4) == Interval(0.5, 0.5, 0.5)


def test_interval_of_a_normal_mean():
    scores = rng(1).normal(3.0, 2.0, 400)
    interval = bootstrap_interval(scores, rng(), "mean")
    half = 1.96 * scores.std() / 20
    assert interval.estimate == pytest.approx(scores.mean())
    assert interval.low == pytest.approx(scores.mean() - half, abs=0.03)
    assert interval.high == pytest.approx(scores.mean() + half, abs=0.03)


def test_an_outlier_does_not_move_the_interquartile_mean():
    scores = np.array([1.0, 1.1, 0.9, 1.0, 1.05, 0.95, 1.0, 1e6])
    assert bootstrap_interval(scores, rng(), confidence=0.5).high < 1.1
    assert bootstrap_interval(scores, rng(), "mean").estimate > 1e5


def test_runs_are_drawn_within_their_task():
    # The tasks differ and their runs do not: nothing is left to chance.
    scores = np.array([[0.0, 10.0]] * 3)
    assert bootstrap_interval(scores, rng(), "mean") == Interval(5.0, 5.0, 5.0)


def test_the_generator_decides():
    scores = rng(2).normal(size=12)
    assert bootstrap_interval(scores, rng(5)) == bootstrap_interval(scores, rng(5))
    assert bootstrap_interval(scores, rng(5)) != bootstrap_interval(scores, rng(6))


@pytest.mark.parametrize(
    ("scores", "options", "message"),
    [
        (np.array([1.0]), {}, r"`scores` must hold at least 2 runs. Received shape \(1,\)"),
        (np.array([1.0, np.nan]), {}, "`scores` must be finite. Received 1"),
        (np.array([1.0, 2.0]), {"confidence": 1.0}, r"`confidence` must be in \(0, 1\)"),
        (np.array([1.0, 2.0]), {"n_resamples": 0}, "`n_resamples` at least 1"),
    ],
)
def test_errors_say_what_to_do(scores, options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_interval(scores, rng(), **options)


def test_no_mean_of_nothing():
    with pytest.raises(ValueError, match="at least 1 runs"):
        interquartile_mean(np.zeros(0))


def test_a_paired_difference_cancels_what_seeds_share():
    hard = np.array([0.0, 10.0, 20.0, 30.0])
    better = paired_difference(hard + 1, hard, rng())
    assert better == Interval(1.0, 1.0, 1.0)
    # Differences 0 and 1: as of two values above.
    assert paired_difference(np.array([5.0, 8.0]), np.array([5.0, 7.0]), rng()) == Interval(0.5, 0.0, 1.0)
    apart = bootstrap_interval(hard + 1, rng(), "mean")
    assert apart.low < hard.mean() < apart.high


def test_probability_of_improvement_by_hand():
    a, b = np.array([1.0, 2.0, 3.0]), np.array([0.0, 2.0])
    # Wins 1, 0; 1, 1/2; 1, 1: 4.5 of 6.
    assert probability_of_improvement(a, b, rng()).estimate == pytest.approx(0.75)
    assert probability_of_improvement(b, a, rng()).estimate == pytest.approx(0.25)
    assert probability_of_improvement(a + 9, b, rng()) == Interval(1.0, 1.0, 1.0)
    # Two tasks, one won and one lost: what is drawn stays within its task.
    both = probability_of_improvement(np.array([[9.0, 0.0]] * 3), np.array([[1.0, 1.0]] * 2), rng())
    assert both == Interval(0.5, 0.5, 0.5)


def test_bad_comparisons():
    two, three = np.array([1.0, 2.0]), np.array([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match=r"same runs in the same order. Received shapes \(2,\) and \(3,\)"):
        paired_difference(two, three, rng())
    with pytest.raises(ValueError, match="must be finite"):
        paired_difference(two, two * np.nan, rng())
    with pytest.raises(ValueError, match="at least 2 runs"):
        probability_of_improvement(two[:1], three, rng())
    with pytest.raises(ValueError, match="`confidence` must be in"):
        probability_of_improvement(two, three, rng(), confidence=1.0)
