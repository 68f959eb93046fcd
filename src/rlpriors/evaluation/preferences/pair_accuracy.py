"""Agreement of a reward with labeled pairs of segments.

`PairAgreement`   accuracy with its interval, log loss and calibration of a reward
`pair_agreement`  their computation on held-out pairs
`score_pairs`     sums of a reward over both segments of each pair
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.intervals import Interval
from rlpriors.preferences.preference_set import PreferenceSet
from rlpriors.preferences.samplers import segment_sums
from rlpriors.types import RewardFn

__all__ = ["PairAgreement", "pair_agreement", "score_pairs"]

Z = 1.959964  # two-sided 95 % point of the normal distribution


class PairAgreement(NamedTuple):
    """Agreement of a reward with labeled pairs.

    Example:
        >>> agreement = pair_agreement(np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]]), np.array([1, 0, 0]))
        >>> str(agreement.accuracy)
        '0.67 [0.21, 0.94]'
    """

    accuracy: Interval
    """Fraction of decided pairs in which the better segment has the larger sum of rewards; a tie of sums
    counts half.  The interval is Wilson's of 95 %."""
    log_loss: float
    """Mean negative log probability of the labels under the logistic function of the difference; 0.69 is that
    of equal sums.  It depends on the scale of the reward."""
    n_pairs: int
    """Number of decided pairs."""


@check_arguments
def score_pairs(reward: RewardFn, data: EpisodeStore, pairs: PreferenceSet) -> Float[np.ndarray, "pairs 2"]:
    """Return the sum of the reward over both segments of each pair.

    Raises:
        ValueError: the pairs are of other data, or the reward does not fit the data.
    """
    pairs.check(data)
    return segment_sums(data.relabel(reward), pairs.clips, pairs.length)


def pair_agreement(scores: Float[np.ndarray, "pairs 2"], labels: Int[np.ndarray, " n"]) -> PairAgreement:
    """Compute the agreement of sums of rewards with labels; undecided pairs (-1) are left out.

    The interval is that of Wilson (1927, J. Am. Stat. Assoc. 22).  It takes pairs as independent; pairs that
    share episodes are not quite, so that the interval is a little too narrow.

    Args:
        scores: sums of rewards of both segments.
        labels: 0 where the first is better, 1 where the second is, -1 where neither is.

    Raises:
        ValueError: shapes disagree, a score is not finite, or no pair is decided.
    """
    if scores.shape != (len(labels), 2) or not np.isfinite(scores).all():
        raise ValueError(
            f"`scores` must be finite numbers of shape ({len(labels)}, 2). Received shape {scores.shape}."
        )
    decided = labels >= 0
    n = int(decided.sum())
    if not n:
        raise ValueError(f"`labels` must hold decided pairs. Received {len(labels)} undecided ones.")
    difference = (scores[decided, 1] - scores[decided, 0]) * (2 * labels[decided] - 1)
    accuracy = float((0.5 + 0.5 * np.sign(difference)).mean())
    center = (accuracy + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * np.sqrt(accuracy * (1 - accuracy) / n + Z**2 / (4 * n**2))
    interval = Interval(accuracy, float(max(0.0, center - half)), float(min(1.0, center + half)))
    return PairAgreement(interval, float(np.logaddexp(0.0, -difference).mean()), n)
