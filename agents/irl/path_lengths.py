"""Lengths of the ways between time steps of an episode.

`PathLengths`  lengths of ways in a store, in normalized units
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.offline_algorithm import WindowBuffer

__all__ = ["PathLengths"]


class PathLengths:
    """Lengths of the ways between time steps of the same episode, in normalized units.

    The length of a way is the sum of the distances between observations a quarter of a window apart, averaged
    over where the quarters begin.  The square of each entry is divided by the entry's temporal variation: a
    change of a slow entry, such as a position, counts more than one of a fast entry, such as a velocity.
    Small movements around a place of rest cancel within a quarter of a window.  Sums over single steps would
    add them up.

    Args:
        windows: windows of the episodes.
        layout: normalization of the windows.
        variation: temporal variation of each entry of a time step (`losses.temporal_variation`).

    Example:
        >>> from rlpriors.data.episodes import Episode, EpisodeStore
        >>> from rlpriors.data.normalize import Normalizer
        >>> walk = Episode(np.array([[0.0], [1], [2], [3], [3], [3]]), np.ones((5, 1)), *np.zeros((3, 5)))
        >>> windows = WindowBuffer(EpisodeStore.from_episodes([walk]), 4, 1, None, seed=0)
        >>> layout = TrajectoryLayout(4, 1, Normalizer.identity(1), Normalizer.identity(1))
        >>> lengths = PathLengths(windows, layout, torch.ones(2))
        >>> lengths.between(np.array([0, 1]), np.array([2, 4])).tolist()
        [2.0, 2.0]
    """

    def __init__(
        self, windows: WindowBuffer, layout: TrajectoryLayout, variation: Float[Tensor, " dim"]
    ) -> None:
        self._windows, store = windows, windows.store
        self.quarter = quarter = max(1, windows.horizon * windows.stride // 4)
        rows = torch.as_tensor(store.obs.reshape(len(store.obs), -1), dtype=torch.float32)
        obs = layout.obs(rows.to(variation.device))
        last = store.step_starts + np.arange(store.n_episodes) + store.lengths
        final = np.repeat(last, store.lengths + 1)
        after = np.minimum(np.arange(len(obs)) + quarter, final)
        change = (obs[torch.from_numpy(after).to(obs.device)] - obs).square() / variation[: layout.obs_dim]
        moved = change.sum(1).sqrt().double().cpu().numpy() / quarter
        # Differences of one sum over all episodes, because an episode's last observation moves by 0.
        self._before = np.concatenate([[0.0], moved.cumsum()])

    def between(
        self, earlier: Int[np.ndarray, " n"], later: Int[np.ndarray, " n"]
    ) -> Float[np.ndarray, " n"]:
        """Return the length of the way between the observations of two steps of the same episode each."""
        first, last = (self._windows.store.obs_index(steps) for steps in (earlier, later))
        return np.asarray(self._before[last] - self._before[first])

    def mean_of_windows(self) -> float:
        """Return the mean length of the way in a window."""
        windows, store = self._windows, self._windows.store
        end = (store.step_starts + store.lengths - 1)[store.episode_of[windows.starts]]
        last = np.minimum(windows.starts + windows.horizon * windows.stride, end)
        return float(self.between(windows.starts, last).mean())

    def resting_steps(self, longest: float) -> Int[np.ndarray, " n"]:
        """Return the steps from which the way in a quarter of a window is shorter than `longest`."""
        store = self._windows.store
        steps = np.arange(store.n_steps)
        last = (store.step_starts + store.lengths - 1)[store.episode_of]
        steps = steps[steps + self.quarter <= last]
        rests: Int[np.ndarray, " n"] = steps[self.between(steps, steps + self.quarter) < longest]
        return rests
