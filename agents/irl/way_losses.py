"""Losses that make a reward follow the ways in demonstrations and data.

`WayLosses`  progress loss, path penalty and rest penalty of one training
"""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.irl.path_lengths import PathLengths
from rlpriors.agents.irl.progress import path_penalty, progress_loss, rest_penalty, sample_pairs
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.rewards.base import RewardModel
from rlpriors.types import Window

__all__ = ["WayLosses"]

_REST = 0.1
"""Largest way of a rest, relative to the mean way in the same time."""


class WayLosses:
    """Progress loss and rest penalty on demonstrations, and path penalty on the prior's data (`progress`).

    Lengths are relative to the mean window of the prior's data, or of the demonstrations without such data.

    Args:
        demonstrations: windows of the demonstrations.
        data: windows of the prior's data; None for no path penalty.
        layout: normalization of the windows.
        variation: temporal variation of each entry of a time step (`losses.temporal_variation`).
        progress_weight: weight of the progress loss.
        path_weight: weight of the path penalty.
        rest_weight: weight of the rest penalty.

    Raises:
        ValueError: no window moves.

    Example:
        >>> from rlpriors.data.episodes import Episode, EpisodeStore
        >>> from rlpriors.data.normalize import Normalizer
        >>> from rlpriors.rewards import MLPReward, RewardSettings
        >>> walk = Episode(np.arange(20.0)[:, None], np.ones((19, 1)), *np.zeros((3, 19)))
        >>> windows = WindowBuffer(EpisodeStore.from_episodes([walk]), 4, 1, None, seed=0)
        >>> layout = TrajectoryLayout(4, 1, Normalizer.identity(1), Normalizer.identity(1))
        >>> losses = WayLosses(windows, windows, layout, torch.ones(2), progress_weight=5.0, path_weight=20.0,
        ...     rest_weight=0.1)
        >>> reward = MLPReward(RewardSettings(obs_dim=1, act_dim=1), Normalizer.identity(1))
        >>> loss, progress = losses(reward, 16, np.random.default_rng(0))
        >>> loss.item() >= 4.99 * progress > 0  # the other losses are at least 0
        True
    """

    def __init__(
        self,
        demonstrations: WindowBuffer,
        data: WindowBuffer | None,
        layout: TrajectoryLayout,
        variation: Float[Tensor, " dim"],
        *,
        progress_weight: float,
        path_weight: float,
        rest_weight: float,
    ) -> None:
        self._layout, self._device = layout, variation.device
        self._demonstrations, self._data = demonstrations, None if path_weight == 0 else data
        self._progress_weight, self._path_weight, self._rest_weight = (
            progress_weight,
            path_weight,
            rest_weight,
        )
        self._lengths = PathLengths(demonstrations, layout, variation)
        self._data_lengths = None if data is None else PathLengths(data, layout, variation)
        self._unit = (self._data_lengths or self._lengths).mean_of_windows()
        if self._unit == 0:
            raise ValueError(
                "The windows must move, because the progress loss compares rewards with how far they do. "
                "Received constant observations; set `progress_weight` to 0."
            )
        self._rests = self._lengths.resting_steps(_REST * self._unit / 4)

    def __call__(
        self, reward: RewardModel, n: int, rng: np.random.Generator
    ) -> tuple[Float[Tensor, ""], float]:
        """Return the weighted loss of `n` random pairs of each kind, and the progress loss alone."""
        earlier, later = sample_pairs(self._demonstrations, n, rng)
        progress = progress_loss(*self._compare(reward, self._demonstrations, self._lengths, earlier, later))
        loss = self._progress_weight * progress
        if self._data is not None and self._data_lengths is not None:
            earlier, later = sample_pairs(self._data, n, rng, self._data.horizon * self._data.stride)
            pairs = self._compare(reward, self._data, self._data_lengths, earlier, later)
            loss = loss + self._path_weight * path_penalty(*pairs)
        if self._rest_weight > 0 and len(self._rests):
            x = self._pack(self._demonstrations, rng.choice(self._rests, max(1, n // 4))).requires_grad_()
            rewards = self._layout.rewards(reward, x)[:, 0]
            loss = loss + self._rest_weight * rest_penalty(rewards, x, self._layout.obs_dim)
        return loss, progress.item()

    def _compare(
        self,
        reward: RewardModel,
        windows: WindowBuffer,
        lengths: PathLengths,
        earlier: Int[np.ndarray, " n"],
        later: Int[np.ndarray, " n"],
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Return the rewards of both steps of each pair and the length of the way between them."""
        rewards = [
            self._layout.rewards(reward, self._pack(windows, steps))[:, 0] for steps in (earlier, later)
        ]
        length = torch.as_tensor(lengths.between(earlier, later) / self._unit, dtype=rewards[0].dtype)
        return rewards[0], rewards[1], length.to(self._device)

    def _pack(self, windows: WindowBuffer, steps: Int[np.ndarray, " n"]) -> Float[Tensor, "n 2 dim"]:
        """Return the windows of two time steps that begin at `steps`, normalized."""
        window = windows.store.windows(steps, 2, windows.stride)
        return self._layout.pack(Window(*(part.to(self._device) for part in window)))
