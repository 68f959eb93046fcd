"""Sharpness of a reward at the ends of demonstrations.

`end_sharpness`  fraction of the data's states near the ends that have a lower reward than the ends
"""

import numpy as np
from jaxtyping import Bool

from rlpriors.data.episodes import EpisodeStore
from rlpriors.evaluation.rewards.held_out import two_sample_accuracy
from rlpriors.evaluation.rollouts.demonstration_distance import DemonstrationDistance, nearest_distances
from rlpriors.types import RewardFn

__all__ = ["end_sharpness"]

N_NEAR, LEAST_NEAR = 300, 30
LAST = 0.2  # fraction of a demonstration that is its end
MOST_DISTANCE = 1.0
LEAST_DIFFERENCE = 0.2  # in standard deviations of the data's rewards
MOST_RADIUS = 0.5  # of the ends of demonstrations


def end_sharpness(reward: RewardFn, demonstrations: EpisodeStore, data: EpisodeStore) -> float:
    """Return the fraction of the data's states near the ends with a lower reward than the ends, in [0, 1].

    The ends are the last fifths of demonstrations.  The states near them are the 300 nearest ones of the data
    that are farther from an end than the ends are from each other, and at most a standard deviation of the
    data.  Entries that are constant in each episode, such as a goal, are left out of these distances.

    Differences below a fifth of a standard deviation of the data's rewards count half: the number is 0.5
    where the reward is flat around the ends.  A policy then stays somewhere near them.  It is NaN for fewer
    than 30 such states, and for ends that are more than half a standard deviation apart.

    Args:
        reward: reward of transitions in raw units.
        demonstrations: at least two demonstrations that lead to similar ends.
        data: data of other behavior.

    Example:
        >>> from rlpriors.data import Episode
        >>> def walks(ends):
        ...     return EpisodeStore.from_episodes([Episode(np.linspace(0, end, 41)[:, None], np.ones((40, 1)),
        ...         *np.zeros((3, 40))) for end in ends])
        >>> demonstrations, data = walks([1, 1]), walks([-1, 0.9, 1.2, 2])
        >>> sharp = end_sharpness(lambda obs, *rest: -(obs[:, 0] - 1).abs(), demonstrations, data)
        >>> flat = end_sharpness(lambda obs, *rest: 0 * obs[:, 0], demonstrations, data)
        >>> sharp > 0.7, flat
        (True, 0.5)
    """
    if demonstrations.n_episodes < 2:
        return float("nan")
    distance = DemonstrationDistance(demonstrations, data)
    steps = np.arange(demonstrations.n_steps)
    episode = demonstrations.episode_of
    time = steps - demonstrations.step_starts[episode]
    lengths = demonstrations.lengths[episode]
    last = steps[time >= np.minimum((1 - LAST) * lengths, lengths - 1)]  # at least the last step
    chosen = _varying(demonstrations)[distance.used]
    factor = np.sqrt(len(chosen) / max(1, chosen.sum()))
    ends = factor * distance.scaled(demonstrations.obs[demonstrations.obs_index(last)])[:, chosen]
    states = factor * distance.scaled(data.obs[data.obs_index(np.arange(data.n_steps))])[:, chosen]
    apart = [
        nearest_distances(ends[episode[last] == number], ends[episode[last] != number])
        for number in np.unique(episode[last])
    ]
    far = nearest_distances(states, ends)
    radius = float(np.quantile(np.concatenate(apart), 0.9))
    if radius > MOST_RADIUS:
        return float("nan")
    around = np.flatnonzero((far > radius) & (far <= MOST_DISTANCE))
    near = around[np.argsort(far[around])[:N_NEAR]]
    if len(near) < LEAST_NEAR:
        return float("nan")
    shown, known = (store.relabel(reward).rew.astype(np.float64) for store in (demonstrations, data))
    margin = LEAST_DIFFERENCE * float(known.std())
    # A difference below the margin is won with one sign and lost with the other: it counts half.
    return float(np.mean([two_sample_accuracy(shown[last] + m, known[near]) for m in (margin, -margin)]))


def _varying(store: EpisodeStore) -> Bool[np.ndarray, " entries"]:
    """Return True for the entries that change within an episode."""
    obs = store.obs.reshape(len(store.obs), -1).astype(np.float64)
    first = np.repeat(store.step_starts + np.arange(store.n_episodes), store.lengths + 1)
    varying: np.ndarray = np.abs(obs - obs[first]).max(0) > 1e-3 * obs.std(0)
    return varying
