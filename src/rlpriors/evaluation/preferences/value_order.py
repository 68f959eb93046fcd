"""Order of predicted values along successful episodes.

`value_order_correlation`  rank correlation of the values of one episode with time
`ValueOrder`               mean over episodes with its interval
`value_order`              Value-Order Correlation of a reward on successful episodes
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float
from scipy.stats import rankdata

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.intervals import Interval, bootstrap_interval
from rlpriors.types import RewardFn

__all__ = ["ValueOrder", "value_order", "value_order_correlation"]

FEWEST_STEPS = 3


class ValueOrder(NamedTuple):
    """Value-Order Correlation over episodes."""

    mean: Interval
    """Mean over episodes with a bootstrap interval of 95 %; without an interval for a single episode."""
    each: tuple[float, ...]
    """Correlation of each episode."""


@array_arguments(values=1)
def value_order_correlation(values: Float[np.ndarray, " steps"]) -> float:
    """Return the rank correlation, in [-1, 1], of predicted values with their time.

    This is the Value-Order Correlation of Ma et al. (2024, arXiv 2411.04549): 1 if each value is higher than
    the one before, as the progress of a successful episode should be.  Equal values share their mean rank.
    Constant values, which order nothing, count as 0.

    Raises:
        ValueError: there are fewer than 3 values, or one is not finite.

    Example:
        >>> value_order_correlation([0.1, 0.2, 0.9]), value_order_correlation([0.2, 0.1, 0.9])
        (1.0, 0.5)
    """
    if values.ndim != 1 or len(values) < FEWEST_STEPS or not np.isfinite(values).all():
        raise ValueError(
            f"`values` must be at least {FEWEST_STEPS} finite numbers in one dimension. Received shape "
            f"{values.shape}."
        )
    if np.ptp(values) == 0:
        return 0.0
    return float(np.round(np.corrcoef(rankdata(values), np.arange(len(values)))[0, 1], 12))


@check_arguments
def value_order(
    reward: RewardFn,
    store: EpisodeStore,
    success: Bool[np.ndarray, " episodes"] | Sequence[bool] | None = None,
    *,
    seed: int = 0,
) -> ValueOrder:
    """Return the Value-Order Correlation of a reward on successful episodes.

    The reward of each step is taken as the predicted value of its state, so that the number is meaningful
    for rewards that measure progress or closeness to a goal.  It is near 0 for a good reward of a repeated
    movement, such as running.

    Args:
        reward: reward model or function of transitions.
        store: episodes.
        success: True for each successful episode; all by default.
        seed: seed of the interval.

    Raises:
        ValueError: `success` has another length, or no successful episode has 3 steps.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(6.0)[:, None], np.ones((5, 1)), *np.zeros((3, 5)))
        >>> store = EpisodeStore.from_episodes([walk, walk])
        >>> value_order(lambda obs, act, obs_next, terminated: obs[:, 0], store).mean.estimate
        1.0
    """
    chosen = np.ones(store.n_episodes, bool) if success is None else np.asarray(success)
    if chosen.shape != (store.n_episodes,) or chosen.dtype != bool:
        raise ValueError(
            f"`success` must be one boolean for each of the {store.n_episodes} episodes. Received shape "
            f"{chosen.shape} of type {chosen.dtype}."
        )
    used = np.flatnonzero(chosen & (store.lengths >= FEWEST_STEPS))
    if not len(used):
        raise ValueError(
            f"`store` must hold a successful episode of at least {FEWEST_STEPS} steps. Received "
            f"{int(chosen.sum())} successful episodes of {store.n_episodes}."
        )
    rewards = store.relabel(reward).rew
    parts = [rewards[first : first + n] for first, n in zip(store.step_starts, store.lengths, strict=True)]
    each = tuple(value_order_correlation(parts[episode]) for episode in used)
    if len(each) == 1:
        return ValueOrder(Interval(each[0], each[0], each[0]), each)
    return ValueOrder(bootstrap_interval(np.array(each), np.random.default_rng(seed), "mean"), each)
