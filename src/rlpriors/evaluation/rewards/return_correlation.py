"""Agreement of two rewards on the returns of whole trajectories.

`episode_returns`      return of each episode under a reward
`ReturnAgreement`      correlations and preference accuracy of two lists of returns
`return_agreement`     their computation (ERC)
`preference_accuracy`  fraction of pairs that both rewards rank in the same order

`trajectory_sets` chooses the trajectories.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.arguments import check_arguments
from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.rewards.epic import pearson, spearman
from rlpriors.evaluation.rewards.input_checks import check_pairs
from rlpriors.types import RewardFn

__all__ = ["ReturnAgreement", "episode_returns", "preference_accuracy", "return_agreement"]


class ReturnAgreement(NamedTuple):
    """Agreement of two rewards on the returns of trajectories.

    Example:
        >>> returns = np.array([1.0, 2.0, 4.0])
        >>> return_agreement(returns, 3 * returns - 1).preference
        1.0
    """

    pearson: float
    """Linear correlation of returns, in [-1, 1]."""
    spearman: float
    """Rank correlation of returns, in [-1, 1]."""
    distance: float
    """ERC distance `sqrt((1 - pearson) / 2)`, in [0, 1] (arXiv 2006.13900, section 5)."""
    preference: float
    """Fraction of the pairs that both rewards rank in the same order, in [0, 1]."""


@check_arguments
def episode_returns(
    reward: RewardFn | None,
    store: EpisodeStore,
    indices: Sequence[int] | Int[np.ndarray, " n"] | None = None,
    *,
    gamma: float = 1.0,
    per_step: bool = False,
) -> Float[np.ndarray, " n"]:
    """Compute the sum of `gamma**t` times the reward, for each episode (of `indices`, in that order).

    Without a `reward`, the store's own rewards are used.  `per_step` divides by the sum of `gamma**t`.
    It is meant for episodes of different lengths: a learned reward has no natural zero, and a constant
    added to it would rank episodes by length.

    Raises:
        ValueError: `gamma` is out of bounds, an index has no episode, or the reward is not finite.
    """
    if not 0 <= gamma <= 1:
        raise ValueError(f"`gamma` must be in [0, 1]. Received {gamma}.")
    chosen = store if indices is None else store.subset(np.asarray(indices, np.int64))
    rewards = chosen.rew if reward is None else chosen.relabel(reward).rew
    time = np.arange(chosen.n_steps) - chosen.step_starts[chosen.episode_of]
    discounts = gamma ** time.astype(np.float64)
    sums: np.ndarray = np.add.reduceat(discounts * rewards, chosen.step_starts)
    return sums / np.add.reduceat(discounts, chosen.step_starts) if per_step else sums


@array_arguments(learned=1, true=1)
def return_agreement(learned: Float[np.ndarray, " n"], true: Float[np.ndarray, " m"]) -> ReturnAgreement:
    """Compare the returns that two rewards give the same trajectories, in the same order.

    Raises:
        ValueError: there are too few returns, or they are constant, not finite or of different lengths.
    """
    if len(learned) != len(true) or len(true) < 2:
        raise ValueError(
            "`learned` and `true` must be returns of the same trajectories, at least 2. Received "
            f"{len(learned)} and {len(true)}."
        )
    check_pairs(learned=learned, true=true)
    rho = pearson(learned, true)
    distance = float(np.sqrt(max(0.0, 1 - rho) / 2))
    return ReturnAgreement(rho, spearman(learned, true), distance, preference_accuracy(learned, true))


@array_arguments(learned=1, true=1)
def preference_accuracy(learned: Float[np.ndarray, " n"], true: Float[np.ndarray, " m"]) -> float:
    """Compute the fraction of pairs with different `true` returns that `learned` ranks in the same order.

    A tie of `learned` counts one half, so an uninformative reward scores 0.5.

    Raises:
        ValueError: lengths differ, a return is not finite, or no two `true` returns differ.
    """
    for name, returns in (("learned", learned), ("true", true)):
        if returns.ndim != 1:
            raise ValueError(f"`{name}` must have 1 dimension. Received shape {returns.shape}.")
    if len(learned) != len(true) or not (np.isfinite(learned).all() and np.isfinite(true).all()):
        raise ValueError(
            "`learned` and `true` must be finite returns of the same trajectories. "
            f"Received {len(learned)} and {len(true)}."
        )
    order = np.argsort(true, kind="stable")
    ranked, scores = true[order], learned[order]
    agreed, pairs = 0.0, 0
    for number, better in enumerate(np.searchsorted(ranked, ranked, side="right")):
        later = scores[better:]
        agreed += np.count_nonzero(later > scores[number]) + np.count_nonzero(later == scores[number]) / 2
        pairs += len(later)
    if pairs == 0:
        raise ValueError(
            "`true` must hold returns that differ. "
            f"Received {len(true)} equal ones; use more varied episodes."
        )
    return float(agreed / pairs)
