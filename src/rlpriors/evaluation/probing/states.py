"""Probes of positions and velocities.

`StateTargets`     numbers that belong to frames, and a split of the frames
`state_targets`    positions and velocities of a store
`split_frames`     training, validation and test frames without a common episode
`evaluate_states`  R2 of each target by ridge regression
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.frames import FrameStore
from rlpriors.evaluation.probing.regression_probe import ridge_r2

__all__ = ["StateTargets", "evaluate_states", "split_frames", "state_targets"]

Rows = Int[np.ndarray, " _"]


class StateTargets(NamedTuple):
    """Numbers that belong to frames, and a split of the frames."""

    names: tuple[str, ...]
    """Names of the targets."""
    values: Float[np.ndarray, "frames targets"]
    """Value of each target in each frame."""
    train: Rows
    """Frames that the probe is fitted on."""
    val: Rows
    """Frames that the regularization is selected on."""
    test: Rows
    """Frames that the probe is evaluated on."""


def state_targets(store: FrameStore, seed: int = 0) -> StateTargets:
    """Return every position and velocity of a store.

    Raises:
        ValueError: the store has neither `qpos` nor `qvel`, or fewer than three episodes.
    """
    names = [name for name in ("qpos", "qvel") if name in store.arrays]
    if not names or store.n_episodes < 3:
        raise ValueError(
            f"`data` must hold `qpos` or `qvel` of at least 3 episodes. Received {store.folder}, which holds "
            f"{sorted(store.arrays)} of {store.n_episodes}."
        )
    values = np.concatenate([store.arrays[name] for name in names], axis=1)
    columns = tuple(f"{name}[{i}]" for name in names for i in range(store.arrays[name].shape[1]))
    return StateTargets(columns, values, *split_frames(store.lengths, seed))


def split_frames(lengths: Int[np.ndarray, " episodes"], seed: int = 0) -> tuple[Rows, Rows, Rows]:
    """Split the frames into training, validation and test frames: 70, 10 and 20 % of the episodes.

    Raises:
        ValueError: there are fewer than three episodes.

    Example:
        >>> train, val, test = split_frames(np.array([2] * 10))
        >>> len(train), len(val), len(test)
        (14, 2, 4)
    """
    if len(lengths) < 3:
        raise ValueError(f"`data` must hold at least 3 episodes, one for each part. Received {len(lengths)}.")
    order = np.random.default_rng(seed).permutation(len(lengths))
    n_val, n_test = (max(1, round(fraction * len(order))) for fraction in (0.1, 0.2))
    rows = [np.arange(end - n, end) for end, n in zip(np.cumsum(lengths), lengths, strict=True)]
    val, test, train = (
        np.concatenate([rows[episode] for episode in part])
        for part in np.split(order, [n_val, n_val + n_test])
    )
    return train, val, test


def evaluate_states(features: Float[np.ndarray, "frames *dims"], targets: StateTargets) -> dict[str, float]:
    """Return the R2 of every target by "standardized/<target>/r2"."""
    flat = features.reshape(len(features), -1)
    scores = ridge_r2(flat, targets.values, targets.train, targets.val, targets.test)
    return {
        f"standardized/{name}/r2": score for name, score in zip(targets.names, scores.tolist(), strict=True)
    }
