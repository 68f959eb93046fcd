"""Ranking of policies in a learned world, compared to the ranking in the real environment.

`PolicyRanking`                correlations and rank violations with bootstrap intervals
`policy_ranking`               their computation from returns
`mean_maximum_rank_violation`  mean over policies of the largest mistake of the ranking
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.intervals import MOST_RESAMPLES, Interval
from rlpriors.evaluation.rewards.epic import pearson, spearman
from rlpriors.evaluation.rewards.input_checks import check_pairs

__all__ = ["PolicyRanking", "mean_maximum_rank_violation", "policy_ranking"]

FEWEST_POLICIES = 3


class PolicyRanking(NamedTuple):
    """Agreement of two rankings of policies, each number with its bootstrap interval."""

    pearson: Interval
    """Linear correlation of the policies' mean returns, in [-1, 1]."""
    spearman: Interval
    """Rank correlation of the policies' mean returns, in [-1, 1]."""
    mmrv: Interval
    """Mean maximum rank violation, at least 0, in units of the real return."""


@array_arguments(predicted=1, real=1)
def mean_maximum_rank_violation(predicted: Float[np.ndarray, " n"], real: Float[np.ndarray, " m"]) -> float:
    """Compute the mean over policies of the largest difference of real returns that is ranked wrongly.

    A pair of policies is ranked wrongly if the strict orders of its predicted and its real returns differ (Li
    et al. 2024, arXiv 2405.05941, section 4).  The result is 0 for equal rankings.  Mistakes between policies
    of nearly equal real returns count little, unlike in a rank correlation.  A tie of predictions counts for
    the worse policy only.

    Raises:
        ValueError: fewer than two returns, different lengths, or a number is NaN or infinite.

    Example:
        >>> mean_maximum_rank_violation([1.0, 3.0, 2.0], [0.0, 10.0, 11.0])  # (0 + 1 + 1) / 3
        0.6666666666666666
    """
    for name, x in (("predicted", predicted), ("real", real)):
        if x.ndim != 1 or not np.isfinite(x).all():
            raise ValueError(f"`{name}` must be one finite number for each policy. Received shape {x.shape}.")
    if len(predicted) != len(real) or len(real) < 2:
        raise ValueError(
            "`predicted` and `real` must be returns of the same policies, at least 2. Received "
            f"{len(predicted)} and {len(real)}."
        )
    wrong = (predicted[:, None] < predicted) != (real[:, None] < real)
    return float((np.abs(real[:, None] - real) * wrong).max(1).mean())


@array_arguments(predicted=1, real=1)
def policy_ranking(
    predicted: Float[np.ndarray, "policies *episodes"],
    real: Float[np.ndarray, "other *more"],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    n_resamples: int = 1000,
) -> PolicyRanking:
    """Compare returns of policies in a learned world with those in the real environment.

    The estimates are of the mean return of each policy.  A resample of the percentile bootstrap draws
    policies with replacement, and episodes of each drawn policy, in the world and in the environment.  With
    few policies the intervals are wide: 8 policies or more are advised.

    Args:
        predicted: returns in the learned world, [policies] or [policies, episodes].
        real: returns in the environment, of the same policies in the same order.
        rng: source of the resamples.
        confidence: probability of the interval, in (0, 1).
        n_resamples: number of resamples.

    Raises:
        ValueError: fewer than 3 policies, different numbers of policies, returns that are constant, NaN or
            infinite, or an argument out of bounds.

    Example:
        >>> real = np.array([[0.0, 0.2], [1.0, 1.2], [2.0, 2.2], [3.0, 3.2]])
        >>> ranking = policy_ranking(10 * real - 5, real, np.random.default_rng(0))
        >>> round(ranking.spearman.estimate, 3), round(ranking.pearson.estimate, 3), ranking.mmrv.estimate
        (1.0, 1.0, 0.0)
    """
    if not 0 < confidence < 1 or not 1 <= n_resamples <= MOST_RESAMPLES:
        raise ValueError(
            f"`confidence` must be in (0, 1) and `n_resamples` in 1..{MOST_RESAMPLES}. Received "
            f"{confidence} and {n_resamples}."
        )
    tables = [x.reshape(len(x), -1).astype(np.float64) for x in (predicted, real)]
    n = len(tables[0])
    if n != len(tables[1]) or n < FEWEST_POLICIES or not all(table.size for table in tables):
        raise ValueError(
            f"`predicted` and `real` must have a row for each of the same policies, at least "
            f"{FEWEST_POLICIES}. Received the shapes {predicted.shape} and {real.shape}."
        )
    means = [table.mean(1) for table in tables]
    check_pairs(predicted=means[0], real=means[1])
    drawn: list[tuple[float, float, float]] = []
    while len(drawn) < n_resamples:
        policies = rng.integers(n, size=n)
        pair = [_resample(table[policies], rng) for table in tables]
        if all(np.ptp(returns) > 1e-12 * np.abs(returns).max() for returns in pair):
            drawn.append(_agreement(*pair))
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, [tail, 1 - tail], axis=0)
    return PolicyRanking(
        *(
            Interval(estimate, float(bottom), float(top))
            for estimate, bottom, top in zip(_agreement(*means), low, high, strict=True)
        )
    )


def _resample(
    table: Float[np.ndarray, "policies episodes"], rng: np.random.Generator
) -> Float[np.ndarray, " policies"]:
    """Return the mean over episodes drawn with replacement, for each policy."""
    episodes = rng.integers(table.shape[1], size=table.shape)
    return np.asarray(np.take_along_axis(table, episodes, 1).mean(1))


def _agreement(predicted: np.ndarray, real: np.ndarray) -> tuple[float, float, float]:
    return pearson(predicted, real), spearman(predicted, real), mean_maximum_rank_violation(predicted, real)
