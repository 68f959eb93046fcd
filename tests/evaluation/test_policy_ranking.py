"""Ranking of policies: hand-worked rank violations, correlations and intervals."""

import numpy as np
import pytest

from rlpriors.evaluation import mean_maximum_rank_violation, policy_ranking


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_rank_violations_of_three_policies() -> None:
    """Wrong pairs: (0, 2), at a distance of 3, and (1, 2), at a distance of 1; the worst of each: 3, 1, 3."""
    assert mean_maximum_rank_violation([5.0, 6.0, 4.0], [0.0, 2.0, 3.0]) == pytest.approx((3 + 1 + 3) / 3)


def test_equal_and_reversed_rankings() -> None:
    real = np.array([0.0, 1.0, 3.0])
    assert mean_maximum_rank_violation(np.exp(real), real) == 0
    assert mean_maximum_rank_violation(-real, real) == pytest.approx((3 + 2 + 3) / 3)


def test_a_tie_in_the_prediction_is_wrong_for_the_worse_policy() -> None:
    assert mean_maximum_rank_violation([1.0, 1.0], [0.0, 2.0]) == (2.0 + 0.0) / 2
    assert mean_maximum_rank_violation([1.0, 1.0], [2.0, 2.0]) == 0.0


def test_estimates_are_those_of_the_means() -> None:
    real = np.array([[0.0, 2.0], [2.0, 4.0], [10.0, 6.0], [5.0, 5.0]])  # means 1, 3, 8, 5
    predicted = np.array([[1.0], [2.0], [3.0], [4.0]])
    ranking = policy_ranking(predicted, real, rng())
    assert ranking.spearman.estimate == pytest.approx(0.8)  # ranks 1 2 3 4 and 1 2 4 3: 1 - 6 * 2 / 60
    assert ranking.pearson.estimate == pytest.approx(np.corrcoef([1, 2, 3, 4], [1, 3, 8, 5])[0, 1])
    assert ranking.mmrv.estimate == pytest.approx((0 + 0 + 3 + 3) / 4)
    for interval in ranking:
        assert interval.low <= interval.estimate <= interval.high


def test_perfect_rankings_have_no_interval() -> None:
    real = np.arange(8.0)
    ranking = policy_ranking(2 * real, real, rng())
    assert (ranking.spearman.low, ranking.mmrv.high) == (pytest.approx(1.0), 0.0)


def test_more_policies_and_episodes_narrow_the_interval() -> None:
    def width(n_policies: int, n_episodes: int) -> float:
        real = np.linspace(0, 1, n_policies)[:, None] + rng(1).normal(0, 1, (n_policies, n_episodes))
        predicted = np.linspace(0, 1, n_policies)[:, None] + rng(2).normal(0, 1, (n_policies, n_episodes))
        interval = policy_ranking(predicted, real, rng(), n_resamples=200).spearman
        return interval.high - interval.low

    assert width(30, 100) < width(6, 100)
    assert width(8, 400) < width(8, 2)


def test_equal_generators_give_equal_intervals() -> None:
    predicted, real = rng(1).normal(size=(2, 9, 4))
    assert policy_ranking(predicted, real, rng(5)) == policy_ranking(predicted, real, rng(5))


@pytest.mark.parametrize(
    ("predicted", "real", "message"),
    [
        ([1.0, 2.0], [1.0, 2.0], "at least 3"),
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.0, 4.0], "same policies"),
        ([1.0, 1.0, 1.0], [1.0, 2.0, 3.0], "`predicted` must vary"),
        ([1.0, np.nan, 1.0], [1.0, 2.0, 3.0], "`predicted` must be finite"),
    ],
)
def test_returns_without_a_ranking(predicted: list[float], real: list[float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        policy_ranking(predicted, real, rng())  # type: ignore[arg-type]


def test_arguments_out_of_bounds() -> None:
    with pytest.raises(ValueError, match="`confidence` must be in"):
        policy_ranking(np.arange(3.0), np.arange(3.0), rng(), confidence=1.0)
    with pytest.raises(ValueError, match="same policies, at least 2"):
        mean_maximum_rank_violation([1.0], [1.0])
    with pytest.raises(ValueError, match="finite"):
        mean_maximum_rank_violation([1.0, np.inf], [1.0, 2.0])
