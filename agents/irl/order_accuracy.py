"""Accuracy of ordering time steps of demonstrations that a ranking was not fitted on.

`order_accuracy`  fraction of held-out pairs of time steps whose order a fitted ranking predicts
`progresses`      True if the accuracy shows that demonstrations progress
`repeats`         True if demonstrations repeat movements, as gaits do
`goal_entries`    entries that are constant in each episode, such as a given goal

The progress loss (`progress`) assumes that later time steps of a demonstration are better.  That holds for
ways to a goal and is wrong for movements that repeat, such as gaits.  Demonstrations themselves show which
of both they are: the order of their time steps can be predicted from states alone only if they progress.
"""

import logging

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.agents.diffusion.trajectory_layout import TrajectoryLayout
from rlpriors.agents.irl.progress import movement_weights, sample_pairs
from rlpriors.agents.offline_algorithm import WindowBuffer
from rlpriors.data.episodes import EpisodeStore
from rlpriors.networks.mlp import build_mlp
from rlpriors.rewards.losses import temporal_variation

__all__ = ["goal_entries", "order_accuracy", "progresses", "repeats"]

_log = logging.getLogger(__name__)

_LEAST_ACCURACY = 2 / 3  # between ways through mazes and gaits
_UPDATES, _PAIRS, _HELD_OUT_PAIRS = 100, 128, 2000


def progresses(
    demonstrations: WindowBuffer, layout: TrajectoryLayout, variation: Float[Tensor, " dim"], seed: int = 0
) -> bool | None:
    """Return True if `order_accuracy` is at least two thirds, and None for a single demonstration.

    Args:
        demonstrations: windows of the demonstrations.
        layout: normalization of the windows.
        variation: temporal variation of each entry of a time step (`losses.temporal_variation`).
        seed: random seed of the ranking.
    """
    if len(_episodes(demonstrations)) < 2:
        _log.info("One demonstration is too few to see if its order shows progress.")
        return None
    accuracy = order_accuracy(demonstrations, layout, variation, seed)
    result = accuracy >= _LEAST_ACCURACY
    message = "%.0f %% of held-out pairs of time steps are ordered by their states: demonstrations %s."
    _log.info(message, 100 * accuracy, "progress" if result else "do not progress")
    return result


def repeats(demonstrations: EpisodeStore, layout: TrajectoryLayout, seed: int = 0) -> bool:
    """Return True if demonstrations repeat movements: they do not progress, and contain no goals of episodes.

    Args:
        demonstrations: episodes, of which at least two must be as long as a window.
        layout: layout of windows, with its normalization.
        seed: random seed of the ranking.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> def swing(phase: float) -> Episode:
        ...     angle = phase + 0.3 * np.arange(61.0)
        ...     obs = np.stack([np.cos(angle), np.sin(angle)], 1)
        ...     return Episode(obs, np.zeros((60, 1)), *np.zeros((3, 60)))
        >>> gait = EpisodeStore.from_episodes([swing(0.0), swing(1.0), swing(2.0), swing(4.0)])
        >>> repeats(gait, TrajectoryLayout.fit(gait, horizon=8))
        True
    """
    if len(goal_entries(demonstrations)):
        return False
    horizon, stride = layout.horizon, layout.stride
    windows = WindowBuffer(demonstrations, horizon, stride, None, 0, absorbing=layout.absorbing)
    rows = windows.sample_rows(min(512, len(windows)), np.random.default_rng(seed))
    variation = temporal_variation(layout.pack(demonstrations.windows(windows.starts[rows], horizon, stride)))
    return progresses(windows, layout, variation, seed) is False


def order_accuracy(
    demonstrations: WindowBuffer, layout: TrajectoryLayout, variation: Float[Tensor, " dim"], seed: int = 0
) -> float:
    """Return the fraction of pairs of held-out time steps that a fitted ranking puts into the right order.

    A small network is fitted to pairs of half of the demonstrations (`progress.sample_pairs`, in windows that
    move) and orders those of the other half.  1 means that every observation shows how far an episode is,
    0.5 that none does.  Pairs of equal observations have no order and do not count; if there are no others,
    the result is 0.5.

    Args:
        demonstrations: windows of at least two demonstrations.
        layout: normalization of the windows.
        variation: temporal variation of each entry of a time step (`losses.temporal_variation`).
        seed: random seed of the halves, the network and the pairs.

    Raises:
        ValueError: fewer than two demonstrations are as long as a window.
    """
    episodes = _episodes(demonstrations)
    if len(episodes) < 2:
        raise ValueError(
            "`demonstrations` must contain at least two episodes that are as long as a window. Received "
            f"{len(episodes)}; give the weight of the progress loss instead."
        )
    rng = np.random.default_rng(seed)
    halves = np.array_split(rng.permutation(episodes), 2)
    fitted, held_out = (
        _pairs(demonstrations, layout, variation, half, n, rng)
        for half, n in zip(halves, (_UPDATES * _PAIRS, _HELD_OUT_PAIRS), strict=True)
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = build_mlp(layout.obs_dim, (64, 64), 1)
    optim = torch.optim.Adam(network.parameters(), lr=3e-3)
    for earlier, later in zip(*(part.split(_PAIRS) for part in fitted), strict=True):
        # The order alone: -log sigma(r_later - r_earlier) (Bradley & Terry 1952, Biometrika 39).
        loss = torch.nn.functional.softplus(network(earlier) - network(later)).mean()
        optim.zero_grad()
        loss.backward()
        optim.step()
    with torch.no_grad():
        earlier, later = (network(part)[:, 0] for part in held_out)
    differ = (held_out[0] != held_out[1]).any(1)
    return float((later > earlier)[differ].float().mean()) if differ.any() else 0.5


def goal_entries(store: EpisodeStore) -> Int[np.ndarray, " entries"]:
    """Return the entries of flat observations that are constant in each episode and differ between episodes.

    Changes by less than a thousandth of an entry's standard deviation count as constant.

    Example:
        >>> from rlpriors.data.episodes import Episode
        >>> to_left, to_right = (
        ...     Episode(np.array([[0.0, goal], [1.0, goal]]), np.ones((1, 1)), *np.zeros((3, 1)))
        ...     for goal in (-1, 1))
        >>> goal_entries(EpisodeStore.from_episodes([to_left, to_right])).tolist()
        [1]
    """
    rows = store.obs.reshape(len(store.obs), -1)
    first = (
        np.arange(store.n_episodes) + store.step_starts
    )  # every episode has one more observation than steps
    own_first = np.repeat(rows[first], store.lengths + 1, axis=0)
    spread = rows.std(0, dtype=np.float64)
    is_constant = (np.abs(rows - own_first) <= 1e-3 * spread).all(0)
    return np.flatnonzero(is_constant & (spread > 0))


def _episodes(demonstrations: WindowBuffer) -> Int[np.ndarray, " episodes"]:
    """Return the episodes that are as long as a window."""
    return np.unique(demonstrations.store.episode_of[demonstrations.starts])


def _pairs(
    demonstrations: WindowBuffer,
    layout: TrajectoryLayout,
    variation: Float[Tensor, " dim"],
    episodes: Int[np.ndarray, " episodes"],
    n: int,
    rng: np.random.Generator,
) -> tuple[Float[Tensor, "n obs"], ...]:
    """Return the normalized observations of `n` pairs of time steps in some episodes, on the CPU."""
    horizon, stride = demonstrations.horizon, demonstrations.stride
    store = demonstrations.store.subset(np.sort(episodes))
    windows = WindowBuffer(store, horizon, stride, None, 0, absorbing=layout.absorbing)
    windows.set_probabilities(movement_weights(windows, layout, variation, 1.0))
    return tuple(
        layout.obs(store.windows(steps, 1, stride).obs[:, 0].to(variation.device)).cpu()
        for steps in sample_pairs(windows, n, rng)
    )
