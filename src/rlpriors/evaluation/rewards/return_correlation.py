"""Do two rewards rank whole trajectories alike?

`episode_returns`      what a reward pays for each episode
`return_agreement`     correlations of two lists of returns (ERC), and how often preferences agree
`preference_accuracy`  the latter alone

`coverages.py` chooses the trajectories.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.epic import pearson, spearman
from rlpriors.types import RewardFn

__all__ = ["ReturnAgreement", "episode_returns", "preference_accuracy", "return_agreement"]


class ReturnAgreement(NamedTuple):
    """How alike two rewards pay trajectories.

    Example:
        >>> returns = np.array([1.0, 2.0, 4.0])
        >>> return_agreement(returns, 3 * returns - 1).preference
        1.0
    """

    pearson: float
    """Linear correlation of returns, in [-1, 1]."""
    spearman: float
    """Correlation of their ranks, in [-1, 1]."""
    distance: float
    """`sqrt((1 - pearson) / 2)`, in [0, 1]: the ERC distance of arXiv 2006.13900, section 5."""
    preference: float
    """Part of the pairs that both order alike, in [0, 1]."""


def episode_returns(
    reward: RewardFn | None,
    store: EpisodeStore,
    indices: Sequence[int] | Int[np.ndarray, " n"] | None = None,
    *,
    gamma: float = 1.0,
    per_step: bool = False,
) -> Float[np.ndarray, " n"]:
    """The sum of `gamma**t` times the reward, for each episode (of `indices`, in that order).

    Without a `reward` the store's own rewards count.  `per_step` divides by the sum of `gamma**t`:
    for episodes of several lengths, since a learned reward has no natural zero and a constant added
    to it would order episodes by length.

    Raises:
        ValueError: `gamma` is out of bounds, an index is no episode, or the reward is not finite.
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"`gamma` must be in [0, 1]. Received {gamma}.")
    chosen = store if indices is None else store.subset(np.asarray(indices, np.int64))
    paid = chosen.rew if reward is None else chosen.relabel(reward).rew
    time = np.arange(chosen.n_steps) - chosen.step_starts[chosen.episode_of]
    discounts = gamma ** time.astype(np.float64)
    sums: np.ndarray = np.add.reduceat(discounts * paid, chosen.step_starts)
    return sums / np.add.reduceat(discounts, chosen.step_starts) if per_step else sums


def return_agreement(learned: Float[np.ndarray, " n"], true: Float[np.ndarray, " m"]) -> ReturnAgreement:
    """Compare the returns that two rewards give the same trajectories, in the same order.

    Raises:
        ValueError: as `reward_distance.pearson`: too few, different lengths, all the same or not finite.
    """
    rho = pearson(learned, true)
    distance = float(np.sqrt(max(0.0, 1 - rho) / 2))
    return ReturnAgreement(rho, spearman(learned, true), distance, preference_accuracy(learned, true))


def preference_accuracy(learned: Float[np.ndarray, " n"], true: Float[np.ndarray, " m"]) -> float:
    """Part of the pairs with different `true` returns that `learned` orders in the same way.

    A pair that `learned` cannot tell apart counts one half, so that knowing nothing is 0.5.

    Raises:
        ValueError: lengths differ, a return is not finite, or no two `true` returns differ.
    """
    if len(learned) != len(true) or not (np.isfinite(learned).all() and np.isfinite(true).all()):
        raise ValueError(
            "`learned` and `true` must be finite returns of the same trajectories. "
            f"Received {len(learned)} and {len(true)}."
        )
    order = np.argsort(true, kind="stable")
    ranked, paid = true[order], learned[order]
    agreed, pairs = 0.0, 0
    for number, better in enumerate(np.searchsorted(ranked, ranked, side="right")):
        later = paid[better:]
        agreed += np.count_nonzero(later > paid[number]) + np.count_nonzero(later == paid[number]) / 2
        pairs += len(later)
    if pairs == 0:
        raise ValueError(
            "`true` must hold returns that differ. "
            f"Received {len(true)} equal ones; take more varied episodes."
        )
    return float(agreed / pairs)
