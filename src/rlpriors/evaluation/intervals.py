"""Scores of a few runs, and how sure they are.

`interquartile_mean`  the mean of the middle half
`bootstrap_interval`  a mean or interquartile mean with a percentile bootstrap interval

After Agarwal et al. 2021, arXiv 2108.13264.
"""

from typing import Literal, NamedTuple

import numpy as np
from jaxtyping import Float
from scipy.stats import trim_mean

__all__ = ["Interval", "bootstrap_interval", "interquartile_mean"]


class Interval(NamedTuple):
    """An estimate between the ends of its confidence interval.

    Example:
        >>> str(Interval(0.5, 0.25, 0.75))
        '0.50 [0.25, 0.75]'
    """

    estimate: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.estimate:.2f} [{self.low:.2f}, {self.high:.2f}]"


def interquartile_mean(scores: Float[np.ndarray, "*runs"]) -> float:
    """The mean without the lowest and highest quarter of all `scores` (rounded down).

    Raises:
        ValueError: there are none, or one is NaN or infinite.
    """
    _check(scores, fewest=1)
    return float(trim_mean(scores.ravel(), 0.25))


def bootstrap_interval(
    scores: Float[np.ndarray, "runs *tasks"],
    rng: np.random.Generator,
    statistic: Literal["mean", "iqm"] = "iqm",
    *,
    confidence: float = 0.95,
    n_resamples: int = 2000,
) -> Interval:
    """The mean or interquartile mean of all `scores`, with a percentile bootstrap interval.

    Runs are drawn anew within each task (a stratified bootstrap), for there is no chance in which
    tasks there are.  Few runs give intervals that are too narrow: the paper wants five or more.

    Raises:
        ValueError: fewer than two runs, a score that is NaN or infinite, or an argument out of
            bounds.
    """
    _check(scores, fewest=2)
    if statistic not in ("mean", "iqm"):
        raise ValueError(f'`statistic` must be "mean" or "iqm". Received {statistic!r}.')
    if not 0 < confidence < 1 or n_resamples < 1:
        raise ValueError(
            f"`confidence` must be in (0, 1) and `n_resamples` at least 1. "
            f"Received {confidence} and {n_resamples}."
        )
    cut = 0.25 if statistic == "iqm" else 0.0
    table = scores.reshape(len(scores), -1).astype(np.float64)  # [runs, tasks]
    drawn = rng.integers(len(table), size=(n_resamples, *table.shape))
    resampled = table[drawn, np.arange(table.shape[1])].reshape(n_resamples, -1)
    estimates = trim_mean(resampled, cut, axis=1)
    tail = (1 - confidence) / 2
    low, high = np.quantile(estimates, [tail, 1 - tail])
    return Interval(float(trim_mean(table.ravel(), cut)), float(low), float(high))


def _check(scores: Float[np.ndarray, "..."], fewest: int) -> None:
    if scores.size == 0 or len(scores) < fewest:
        raise ValueError(f"`scores` must hold at least {fewest} runs. Received shape {scores.shape}.")
    if not np.isfinite(scores).all():
        bad = int((~np.isfinite(scores)).sum())
        raise ValueError(
            f"`scores` must be finite. Received {bad} that are NaN or infinite: "
            "leave those runs out only if you say so beside the result."
        )
