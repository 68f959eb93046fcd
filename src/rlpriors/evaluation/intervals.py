"""Confidence intervals for scores of a few runs (Agarwal et al. 2021, arXiv 2108.13264).

`Interval`                    estimate with its confidence interval
`interquartile_mean`          mean of the middle half
`bootstrap_interval`          mean or interquartile mean with a percentile bootstrap interval
`paired_difference`           difference of two methods on the same seeds
`probability_of_improvement`  probability that a run of one method beats a run of another
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import trim_mean

from rlpriors.evaluation.array_arguments import array_arguments

__all__ = [
    "Interval",
    "bootstrap_interval",
    "interquartile_mean",
    "paired_difference",
    "probability_of_improvement",
]

MOST_RESAMPLES = 1_000_000


class Interval(NamedTuple):
    """Estimate with the ends of its confidence interval.

    Example:
        >>> str(Interval(0.5, 0.25, 0.75))
        '0.50 [0.25, 0.75]'
    """

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}]"


@array_arguments(scores=1)
def interquartile_mean(scores: Float[np.ndarray, "*runs"]) -> float:
    """Return the mean without the lowest and highest quarter of all `scores` (rounded down).

    Raises:
        ValueError: `scores` is empty, or a score is NaN or infinite.
    """
    _check("scores", scores, fewest=1)
    return float(trim_mean(scores.ravel(), 0.25))


@array_arguments(scores=1)
def bootstrap_interval(
    scores: Float[np.ndarray, "runs *tasks"],
    rng: np.random.Generator,
    statistic: Literal["mean", "iqm"] = "iqm",
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> Interval:
    """Return the mean or interquartile mean of all `scores` with a percentile bootstrap interval.

    Runs are resampled within each task (a stratified bootstrap), because the tasks are fixed.  Few runs
    give intervals that are too narrow; the paper recommends five or more.

    Raises:
        ValueError: fewer than two runs, a score that is NaN or infinite, or an argument out of
            bounds.
    """
    _check("scores", scores, fewest=2)
    if statistic not in ("mean", "iqm"):
        raise ValueError(f'`statistic` must be "mean" or "iqm". Received {statistic!r}.')
    _check_resampling(confidence, n_resamples)
    cut = 0.25 if statistic == "iqm" else 0.0
    table = scores.reshape(len(scores), -1).astype(np.float64)  # [runs, tasks]
    drawn = rng.integers(len(table), size=(n_resamples, *table.shape))
    resampled = table[drawn, np.arange(table.shape[1])].reshape(n_resamples, -1)
    estimates = trim_mean(resampled, cut, axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(float(trim_mean(table.ravel(), cut)), float(low), float(high))


@array_arguments(scores_a=1, scores_b=1)
def paired_difference(
    scores_a: Float[np.ndarray, "runs *tasks"],
    scores_b: Float[np.ndarray, "other *tasks"],
    rng: np.random.Generator,
    statistic: Literal["mean", "iqm"] = "mean",
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> Interval:
    """Return the `bootstrap_interval` of `scores_a - scores_b`, where row i of both has the same seed.

    Effects of the seed (data, goals, starts) cancel, so fewer runs separate two methods than with two
    separate intervals.  A difference is clear when the interval lies on one side of 0.

    Raises:
        ValueError: the numbers of runs differ, or an error of `bootstrap_interval`.
    """
    _check("scores_a", scores_a, fewest=2)
    _check("scores_b", scores_b, fewest=2)
    if scores_a.shape != scores_b.shape:
        raise ValueError(
            "`scores_a` and `scores_b` must hold the same runs in the same order. "
            f"Received shapes {scores_a.shape} and {scores_b.shape}; leave out unpaired seeds."
        )
    return bootstrap_interval(
        scores_a.astype(np.float64) - scores_b,
        rng,
        statistic,
        confidence=confidence,
        n_resamples=n_resamples,
    )


@array_arguments(scores_a=1, scores_b=1)
def probability_of_improvement(
    scores_a: Float[np.ndarray, "runs *tasks"],
    scores_b: Float[np.ndarray, "other *tasks"],
    rng: np.random.Generator,
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> Interval:
    """Estimate the probability that a run of `a` scores above one of `b` in the same task.

    Ties count half.  The estimate is the mean over tasks of the Mann-Whitney statistic (arXiv 2108.13264,
    section 4.3); runs are resampled within each task of each method.  Seeds need not be paired.

    Raises:
        ValueError: the tasks differ, or an error of `bootstrap_interval`.
    """
    _check("scores_a", scores_a, fewest=2)
    _check("scores_b", scores_b, fewest=2)
    if scores_a.shape[1:] != scores_b.shape[1:]:
        raise ValueError(
            "`scores_a` and `scores_b` must hold the same tasks. "
            f"Received shapes {scores_a.shape} and {scores_b.shape}."
        )
    _check_resampling(confidence, n_resamples)
    a, b = (scores.reshape(len(scores), -1) for scores in (scores_a, scores_b))
    wins = (a[:, None] > b) + (a[:, None] == b) / 2  # [runs of a, runs of b, tasks]
    tasks = np.arange(a.shape[1])
    estimates = np.empty(n_resamples)
    for sample in range(n_resamples):
        drawn_a, drawn_b = (rng.integers(len(x), size=x.shape) for x in (a, b))
        estimates[sample] = wins[drawn_a[:, None], drawn_b, tasks].mean()
    tail = (1 - confidence) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(float(wins.mean()), float(low), float(high))


def _check_resampling(confidence: float, n_resamples: int) -> None:
    if not 0 < confidence < 1 or not 1 <= n_resamples <= MOST_RESAMPLES:
        raise ValueError(
            f"`confidence` must be in (0, 1) and `n_resamples` at least 1, at most {MOST_RESAMPLES}. "
            f"Received {confidence} and {n_resamples}."
        )


def _check(name: str, scores: Float[np.ndarray, "..."], fewest: int) -> None:
    if scores.size == 0 or len(scores) < fewest:
        raise ValueError(f"`{name}` must hold at least {fewest} runs. Received shape {scores.shape}.")
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise ValueError(
            f"`{name}` must be finite. Received {bad} that are NaN or infinite: "
            "leave out those runs only with a note next to the result."
        )
