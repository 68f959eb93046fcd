"""Comparison of a policy's rollouts with demonstrations, without the true reward.

`RolloutScores`      progress, closeness and separability of rollouts
`score_rollouts`     their computation
`separability`       cross-validated accuracy of a classifier between two sets of episodes
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import LeaveOneGroupOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.intervals import Interval
from rlpriors.evaluation.rewards.held_out import two_sample_accuracy, window_means
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance
from rlpriors.types import RewardFn

__all__ = ["RolloutScores", "score_rollouts", "separability"]

N_RESAMPLES = 500
N_STEPS, N_FOLDS, MOST_SQUARED = 4000, 5, 40


class RolloutScores(NamedTuple):
    """Scores of rollouts of a trained policy next to demonstrations and an untrained policy."""

    progress: Interval
    """Learned return: fraction of the way from the untrained policy to the demonstrations."""
    closeness: float
    """Distance to the nearest demonstrated state: fraction of the way from the untrained policy's distance to
    that between demonstrations."""
    accuracy: float
    """Fraction of pairs of windows in which the demonstration has the higher reward than the rollout."""
    separability: float
    """Cross-validated accuracy of a classifier of states between demonstrations and rollouts."""


def score_rollouts(
    reward: RewardFn,
    demonstrations: EpisodeStore,
    rollouts: EpisodeStore,
    untrained: EpisodeStore,
    distance: DemonstrationDistance,
    *,
    length: int,
    rng: np.random.Generator,
) -> RolloutScores:
    """Compare rollouts with demonstrations by the reward, by their distance and by a classifier.

    Returns are sums over an episode if an episode terminates, else means over its steps, so that recorded
    episodes may be shorter than the environment's.  The interval of the progress is a bootstrap over the
    episodes of all three sets.

    Args:
        reward: reward of transitions in raw units.
        demonstrations: demonstrations, best those that the reward was not trained on.
        rollouts: episodes of the trained policy.
        untrained: episodes of the policy before its training.
        distance: distance of observations to demonstrations.
        length: number of steps of a window.
        rng: generator of the bootstrap and of samples.

    Raises:
        ValueError: `length` is below 1, or demonstrations and untrained policy have equal returns.
    """
    groups = demonstrations, rollouts, untrained
    as_sum = any(bool(store.terminated.any()) for store in groups)
    returns = [_returns(reward, store, as_sum) for store in groups]
    if returns[0].mean() == returns[2].mean():
        raise ValueError("`reward` must differ between demonstrations and untrained policy. It is constant.")
    draws = [_progress(*(rng.choice(group, len(group)) for group in returns)) for _ in range(N_RESAMPLES)]
    low, high = np.quantile(draws, [0.025, 0.975])
    progress = Interval(_progress(*returns), float(low), float(high))
    near, first = (float(distance.of_episodes(store).mean()) for store in (rollouts, untrained))
    way = first - distance.expected
    windows = (window_means(reward, store, length)[0] for store in (demonstrations, rollouts))
    return RolloutScores(
        progress,
        (first - near) / way if way > 0 else float(near <= first),
        two_sample_accuracy(*windows),
        separability(demonstrations, rollouts, rng),
    )


def separability(a: EpisodeStore, b: EpisodeStore, rng: np.random.Generator) -> float:
    """Return the balanced accuracy of a classifier of observations, by cross-validation over episodes.

    The classifier is a logistic regression on the entries and, for at most 40 entries, on their products.
    0.5 means that the states of both sets are equally distributed, as far as it sees.  It is NaN with fewer
    than two episodes in a set.

    Example:
        >>> from rlpriors.data import Episode
        >>> def walks(start):
        ...     obs = start + np.arange(9.0)[:, None]
        ...     return EpisodeStore.from_episodes([Episode(obs, np.ones((8, 1)), *np.zeros((3, 8)))] * 4)
        >>> rng = np.random.default_rng(0)
        >>> separability(walks(0), walks(100), rng), separability(walks(0), walks(0), rng) <= 0.5
        (1.0, True)
    """
    if min(a.n_episodes, b.n_episodes) < 2:
        return float("nan")
    parts = [_sample(store, rng) for store in (a, b)]
    x = np.concatenate([obs for obs, _ in parts])
    y = np.repeat([0, 1], [len(obs) for obs, _ in parts])
    n_folds = min(N_FOLDS, *(len(np.unique(of)) for _, of in parts))
    fold = np.concatenate([_folds(of, n_folds) for _, of in parts])  # both sets are in each fold
    products = [PolynomialFeatures(2, include_bias=False)] if x.shape[1] <= MOST_SQUARED else []
    classifier = make_pipeline(
        StandardScaler(),
        *products,
        StandardScaler(),
        LogisticRegression(C=1.0, class_weight="balanced", max_iter=300),
    )
    guess = cross_val_predict(classifier, x, y, groups=fold, cv=LeaveOneGroupOut())
    return float(balanced_accuracy_score(y, guess))


def _returns(reward: RewardFn, store: EpisodeStore, as_sum: bool) -> Float[np.ndarray, " episodes"]:
    sums: np.ndarray = np.add.reduceat(store.relabel(reward).rew.astype(np.float64), store.step_starts)
    return sums if as_sum else sums / store.lengths


def _progress(shown: np.ndarray, own: np.ndarray, first: np.ndarray) -> float:
    way = shown.mean() - first.mean()
    return float((own.mean() - first.mean()) / way) if way else 0.0


def _sample(store: EpisodeStore, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return observations [n, entries] after steps, and the episode of each."""
    steps = np.sort(rng.permutation(store.n_steps)[:N_STEPS])
    flat = store.obs.reshape(len(store.obs), -1)[store.obs_index(steps) + 1]
    return flat.astype(np.float64), store.episode_of[steps]


def _folds(episode: np.ndarray, n_folds: int) -> np.ndarray:
    """Return a fold for each row; the rows of an episode share one."""
    numbers = np.unique(episode, return_inverse=True)[1]
    folds: np.ndarray = numbers % n_folds
    return folds
