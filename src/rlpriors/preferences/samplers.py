"""Choice of the pairs of segments that are compared.

`uniform_pairs`       uniformly random segments
`disagreement_pairs`  pairs on which several rewards disagree most
`novel_pairs`         pairs of segments that are far from those chosen before

Each returns [pair, side, (episode, start)], and never pairs a segment with itself.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.data.validation import check_at_least_one
from rlpriors.types import RewardFn

__all__ = ["disagreement_pairs", "novel_pairs", "uniform_pairs"]

CANDIDATES = 10
"""Number of random pairs from which one is chosen."""


@check_arguments
def uniform_pairs(store: EpisodeStore, n: int, length: int, seed: int = 0) -> Int[np.ndarray, "n 2 2"]:
    """Return `n` pairs of two different segments, each uniform over all segments of `length` steps.

    The first pairs for a larger `n` are those for a smaller one, with the same seed.

    Raises:
        ValueError: `store` has fewer than two segments of `length` steps.
    """
    check_at_least_one(n=n, length=length)
    counts = np.maximum(store.lengths - length + 1, 0)
    total = int(counts.sum())
    if total < 2:
        raise ValueError(
            f"`length` must leave at least two segments in the episodes, whose longest has "
            f"{store.lengths.max()} steps. Received {length}; use a smaller one."
        )
    rng = np.random.default_rng(seed)
    first, second = (rng.random((n, 2)) * (total, total - 1)).astype(np.int64).T
    second += second >= first
    segments = np.stack([first, second], 1)
    ends = np.cumsum(counts)
    episode = np.searchsorted(ends, segments, side="right")
    return np.stack([episode, segments - (ends - counts)[episode]], -1)


@check_arguments
def disagreement_pairs(
    store: EpisodeStore, n: int, length: int, rewards: Sequence[RewardFn], seed: int = 0
) -> Int[np.ndarray, "n 2 2"]:
    """Return the `n` of `10 n` random pairs on which the preferences of `rewards` vary most.

    The preference of a reward is the logistic function of the difference of the segments' sums.  The score
    of a pair is the variance of these probabilities (arXiv 1706.03741, section 2.2.4).  Pairs are in the
    order of this variance.

    Raises:
        ValueError: there are fewer than two rewards, or `store` has fewer than two segments.
    """
    if len(rewards) < 2:
        raise ValueError(f"`rewards` must be at least two, which can disagree. Received {len(rewards)}.")
    pairs = uniform_pairs(store, CANDIDATES * n, length, seed)
    sums = np.stack([segment_sums(store.relabel(reward), pairs, length) for reward in rewards])
    difference = np.clip(sums[..., 1] - sums[..., 0], -60, 60)
    variance = (1 / (1 + np.exp(-difference))).var(0)
    return pairs[np.argsort(-variance, kind="stable")[:n]]


@check_arguments
def novel_pairs(
    store: EpisodeStore,
    n: int,
    length: int,
    seed: int = 0,
    known: Int[np.ndarray, "known 2 2"] | None = None,
) -> Int[np.ndarray, "n 2 2"]:
    """Return `n` of `10 n` random pairs, one by one: each is the farthest from all segments before.

    A segment is its mean observation, with each entry divided by its standard deviation over `store`.  The
    distance of a pair is the mean over its two segments of the distance to the nearest chosen segment.
    Segments of `known`, pairs that were compared before, count as chosen.

    Raises:
        ValueError: `store` has fewer than two segments of `length` steps.
    """
    pairs = uniform_pairs(store, CANDIDATES * n, length, seed)
    points = mean_observations(store, pairs, length)
    nearest = np.full(points.shape[:2], np.inf)
    if known is not None:
        for point in mean_observations(store, known, length).reshape(-1, points.shape[-1]):
            nearest = np.minimum(nearest, np.linalg.norm(points - point, axis=-1))
    chosen: list[int] = []
    for _ in range(n):
        chosen.append(int(nearest.mean(1).argmax()))
        for point in points[chosen[-1]]:
            nearest = np.minimum(nearest, np.linalg.norm(points - point, axis=-1))
        nearest[chosen[-1]] = -np.inf
    return pairs[chosen]


def segment_sums(
    store: EpisodeStore, pairs: Int[np.ndarray, "n 2 2"], length: int
) -> Float[np.ndarray, "n 2"]:
    """Return the sums of the rewards of `store` over each segment."""
    total = np.concatenate([[0.0], np.cumsum(store.rew, dtype=np.float64)])
    first = store.step_starts[pairs[..., 0]] + pairs[..., 1]
    return np.asarray(total[first + length] - total[first])


def mean_observations(
    store: EpisodeStore, pairs: Int[np.ndarray, "n 2 2"], length: int
) -> Float[np.ndarray, "n 2 obs"]:
    """Return the mean observation of each segment, with entries divided by their standard deviation."""
    obs = store.obs.reshape(len(store.obs), -1)
    spread = obs.std(0, dtype=np.float64)
    first = store.step_starts[pairs[..., 0]] + pairs[..., 0] + pairs[..., 1]
    means = np.stack([obs[start : start + length + 1].mean(0, dtype=np.float64) for start in first.ravel()])
    return (means / np.where(spread > 0, spread, 1)).reshape(*first.shape, -1)
