"""Evaluation of a reward on held-out demonstrations and held-out data, without the true reward.

`window_means`         mean reward of windows of each episode
`two_sample_accuracy`  fraction of pairs of windows in which the demonstration has the higher reward
`HeldOutScores`        accuracy and gap with an interval
`held_out_scores`      their computation
`peak_rank`            rank of the best part of demonstrations among the data's rewards
`outside_range`        fraction of demonstrated steps outside the range of the data, by entry
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.intervals import Interval
from rlpriors.types import RewardFn

__all__ = [
    "HeldOutScores",
    "held_out_scores",
    "outside_range",
    "peak_rank",
    "two_sample_accuracy",
    "window_means",
]

N_RESAMPLES = 500


class HeldOutScores(NamedTuple):
    """Scores of a reward on demonstrations and data that it was not trained on."""

    accuracy: Interval
    """Fraction of pairs (window of a demonstration, window of the data) in which the demonstration has the
    higher mean reward, in [0, 1]: 0.5 for a reward without information."""
    gap: Interval
    """Mean reward of demonstrations minus mean reward of the data, in standard deviations of the data's
    windows."""


def window_means(
    reward: RewardFn, store: EpisodeStore, length: int
) -> tuple[Float[np.ndarray, " n"], Int[np.ndarray, " n"]]:
    """Return the mean reward of consecutive windows of `length` steps, and the episode of each.

    The windows of an episode do not overlap.  The last one may be shorter.

    Raises:
        ValueError: `length` is below 1.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(6.0)[:, None], np.ones((5, 1)), *np.zeros((3, 5)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> window_means(lambda obs, act, obs_next, terminated: obs[:, 0], store, 2)[0].tolist()
        [0.5, 2.5, 4.0]
    """
    if length < 1:
        raise ValueError(f"`length` must be at least 1. Received {length}.")
    rewards = store.relabel(reward).rew.astype(np.float64)
    time = np.arange(store.n_steps) - store.step_starts[store.episode_of]
    starts = np.flatnonzero(time % length == 0)
    counts = np.diff(np.append(starts, store.n_steps))
    means: np.ndarray = np.add.reduceat(rewards, starts) / counts
    return means, store.episode_of[starts]


def two_sample_accuracy(a: Float[np.ndarray, " n"], b: Float[np.ndarray, " m"]) -> float:
    """Return the fraction of pairs with a > b; ties count half (the Mann-Whitney statistic, n * m pairs).

    Example:
        >>> two_sample_accuracy(np.array([1.0, 3.0]), np.array([0.0, 1.0]))
        0.875
    """
    ranked = np.sort(b)
    below, upto = np.searchsorted(ranked, a, "left"), np.searchsorted(ranked, a, "right")
    return float((below + upto).mean() / (2 * len(b)))


def held_out_scores(
    reward: RewardFn,
    demonstrations: EpisodeStore,
    data: EpisodeStore,
    *,
    length: int,
    rng: np.random.Generator,
) -> HeldOutScores:
    """Score a reward on held-out episodes, with 95 % intervals by a bootstrap over whole episodes.

    Args:
        reward: reward of transitions in raw units.
        demonstrations: demonstrations that the reward was not trained on.
        data: data of other behavior that the reward was not trained on.
        length: number of steps of a window.
        rng: generator of the bootstrap.

    Raises:
        ValueError: `length` is below 1, or the reward is not finite.
    """
    (a, of_a), (b, of_b) = (window_means(reward, store, length) for store in (demonstrations, data))
    draws = np.empty((N_RESAMPLES, 2))
    for row in draws:
        row[:] = _scores(_resample(a, of_a, rng), _resample(b, of_b, rng))
    low, high = np.quantile(draws, [0.025, 0.975], axis=0)
    estimate = _scores(a, b)
    return HeldOutScores(*(Interval(*map(float, ends)) for ends in zip(estimate, low, high, strict=True)))


def peak_rank(reward: RewardFn, demonstrations: EpisodeStore, data: EpisodeStore) -> float:
    """Return the fraction of the data's steps with a lower reward than the best quarter of a demonstration.

    Each demonstration is represented by the upper quartile of its rewards, and all by their mean rank.
    An agent that maximizes a reward with a low rank goes elsewhere than the demonstrations.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(6.0)[:, None], np.ones((5, 1)), *np.zeros((3, 5)))
        >>> store = EpisodeStore.from_episodes([walk])
        >>> peak_rank(lambda obs, act, obs_next, terminated: obs[:, 0], store, store)
        0.7
    """
    rewards, known = demonstrations.relabel(reward).rew, data.relabel(reward).rew.astype(np.float64)
    groups = np.split(rewards.astype(np.float64), demonstrations.step_starts[1:])
    return two_sample_accuracy(np.array([np.quantile(group, 0.75) for group in groups]), known)


def outside_range(
    demonstrations: EpisodeStore, data: EpisodeStore, *, margin: float = 0.25
) -> Float[np.ndarray, " entries"]:
    """Return the fraction of demonstrated observations outside the range of the data, for each entry.

    The range is widened by `margin` of its width on both sides.  A large fraction is a sign of other units or
    of another environment, or of data that never goes where the demonstrations go.

    Example:
        >>> from rlpriors.data import Episode
        >>> stores = [EpisodeStore.from_episodes([Episode(scale * np.arange(5.0)[:, None], np.ones((4, 1)),
        ...     *np.zeros((3, 4)))]) for scale in (10, 1)]
        >>> outside_range(*stores)
        array([0.8])
    """
    shown, known = (
        store.obs.reshape(len(store.obs), -1).astype(np.float64) for store in (demonstrations, data)
    )
    low, high = known.min(0), known.max(0)
    slack = margin * (high - low)
    outside = (shown < low - slack) | (shown > high + slack)
    fractions: np.ndarray = outside.mean(0)
    return fractions


def _scores(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    spread = float(b.std())
    gap = float(a.mean() - b.mean())
    return two_sample_accuracy(a, b), gap / spread if spread > 0 else 0.0


def _resample(values: np.ndarray, episode: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the windows of episodes that are drawn with replacement."""
    starts = np.flatnonzero(np.diff(episode, prepend=-1))
    groups = np.split(values, starts[1:])
    return np.concatenate([groups[number] for number in rng.integers(len(groups), size=len(groups))])
