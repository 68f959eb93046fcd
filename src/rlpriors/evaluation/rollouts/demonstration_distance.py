"""Distance of visited states to demonstrations.

`DemonstrationDistance`  distance of observations to the nearest demonstrated one
`nearest_distances`      Euclidean distance of each row to the nearest point
"""

import numpy as np
from jaxtyping import Float, Shaped

from rlpriors.data.episodes import EpisodeStore

__all__ = ["DemonstrationDistance", "nearest_distances"]

N_POINTS = 4000


class DemonstrationDistance:
    """Distance of observations to the nearest demonstrated one, in units of the data's spread.

    It is the root mean square over entries of the difference, where each entry is divided by its standard
    deviation over demonstrations and `data` together.  An entry that is constant there is left out.

    Args:
        demonstrations: demonstrations, of which at most 4000 observations are kept.
        data: episodes of other behavior, for the spread.
        seed: seed of the choice of observations.

    Raises:
        ValueError: demonstrations and data have observations of different sizes, or all entries are constant.

    Example:
        >>> from rlpriors.data import Episode
        >>> walk = Episode(np.arange(3.0)[:, None], np.ones((2, 1)), *np.zeros((3, 2)))
        >>> store = EpisodeStore.from_episodes([walk, walk])
        >>> distance = DemonstrationDistance(store, store)
        >>> (distance(np.array([[1.0], [5.0]])) * np.std([0, 1, 2])).round(3).tolist(), distance.expected
        ([0.0, 3.0], 0.0)
    """

    def __init__(self, demonstrations: EpisodeStore, data: EpisodeStore, seed: int = 0) -> None:
        shown, other = (_flat(store.obs) for store in (demonstrations, data))
        if shown.shape[1] != other.shape[1]:
            raise ValueError(
                f"`demonstrations` must have observations of {other.shape[1]} entries, as `data`. Received "
                f"{shown.shape[1]}; select the same leaves."
            )
        spread = np.concatenate([shown, other]).std(0)
        self.used = np.flatnonzero(spread > 1e-6 * np.abs(shown).max(initial=1.0))
        if not len(self.used):
            raise ValueError(
                "`data` must vary in at least one entry of the observation. Received constants only."
            )
        self.spread = spread[self.used]
        kept = np.sort(np.random.default_rng(seed).permutation(len(shown))[:N_POINTS])
        self._points = self.scaled(shown[kept])
        # The observation with index i of episode e follows e earlier first observations.
        firsts = demonstrations.step_starts + np.arange(demonstrations.n_episodes)
        self._episode = np.searchsorted(firsts, kept, side="right") - 1

    def __call__(self, obs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, " n"]:
        """Return the distance of each observation to the nearest demonstrated one."""
        return nearest_distances(self.scaled(obs), self._points)

    @property
    def expected(self) -> float:
        """Mean distance of a demonstration to the nearest other demonstrations; 0 for a single one."""
        distances = []
        for number in np.unique(self._episode):
            own = self._episode == number
            if not own.all():
                distances.append(nearest_distances(self._points[own], self._points[~own]).mean())
        return float(np.mean(distances)) if distances else 0.0

    def of_episodes(self, store: EpisodeStore) -> Float[np.ndarray, " episodes"]:
        """Return the mean distance of the observations of each episode, the first one left out."""
        distances = self(store.obs)[store.obs_index(np.arange(store.n_steps)) + 1]
        means: np.ndarray = np.add.reduceat(distances, store.step_starts) / store.lengths
        return means

    def scaled(self, obs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n used"]:
        """Return observations whose Euclidean distance is the distance of this class."""
        scaled: np.ndarray = _flat(obs)[:, self.used] / (self.spread * np.sqrt(len(self.used)))
        return scaled


def _flat(obs: Shaped[np.ndarray, "n ..."]) -> Float[np.ndarray, "n entries"]:
    return obs.reshape(len(obs), -1).astype(np.float64)


def nearest_distances(
    rows: Float[np.ndarray, "n d"], points: Float[np.ndarray, "m d"]
) -> Float[np.ndarray, " n"]:
    """Return the Euclidean distance of each row to the nearest point.

    Example:
        >>> nearest_distances(np.array([[0.0, 3.0]]), np.array([[4.0, 0.0], [9.0, 0.0]])).tolist()
        [5.0]
    """
    nearest = np.empty(len(rows))
    norms = np.square(points).sum(1)
    for first in range(0, len(rows), 1024):
        part = rows[first : first + 1024]
        closest = (part @ points.T * 2 - norms).argmax(1)
        # The difference itself: the expanded square cancels near 0.
        nearest[first : first + 1024] = np.linalg.norm(part - points[closest], axis=1)
    return nearest
