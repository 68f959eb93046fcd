"""What an encoder shows of a robot's positions and velocities.

`StateTargets`   numbers that belong to frames, and on which frames they are learnt and judged
`state_targets`  positions and velocities of a store
`split_frames`   frames of three parts without a common episode
`judge_states`   R2 of each by ridge regression
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.data.frames import FrameStore
from rlpriors.evaluation.probing.regression_probe import ridge_r2

__all__ = ["StateTargets", "judge_states", "split_frames", "state_targets"]

Rows = Int[np.ndarray, " _"]


class StateTargets(NamedTuple):
    """Numbers that belong to frames."""

    names: tuple[str, ...]
    values: Float[np.ndarray, "frames targets"]
    train: Rows
    val: Rows
    test: Rows


def state_targets(store: FrameStore, seed: int = 0) -> StateTargets:
    """Every position and velocity of a store.

    Raises:
        ValueError: the store has neither `qpos` nor `qvel`, or fewer than three episodes.
    """
    names = [name for name in ("qpos", "qvel") if name in store.arrays]
    if not names or store.n_episodes < 3:
        raise ValueError(
            f"`data` must hold `qpos` or `qvel` of at least 3 episodes. {store.folder} holds "
            f"{sorted(store.arrays)} of {store.n_episodes}."
        )
    values = np.concatenate([store.arrays[name] for name in names], axis=1)
    columns = tuple(f"{name}[{i}]" for name in names for i in range(store.arrays[name].shape[1]))
    return StateTargets(columns, values, *split_frames(store.lengths, seed))


def split_frames(lengths: Int[np.ndarray, " episodes"], seed: int = 0) -> tuple[Rows, Rows, Rows]:
    """Frames to learn from, to stop by and to judge by: 70 / 10 / 20 % of the episodes.

    Raises:
        ValueError: there are fewer than three.
    """
    if len(lengths) < 3:
        raise ValueError(f"`data` must hold at least 3 episodes, one for each part. Received {len(lengths)}.")
    order = np.random.default_rng(seed).permutation(len(lengths))
    n_val, n_test = (max(1, round(share * len(order))) for share in (0.1, 0.2))
    rows = [np.arange(end - n, end) for end, n in zip(np.cumsum(lengths), lengths, strict=True)]
    val, test, train = (
        np.concatenate([rows[episode] for episode in part])
        for part in np.split(order, [n_val, n_val + n_test])
    )
    return train, val, test


def judge_states(features: Float[np.ndarray, "frames *dims"], targets: StateTargets) -> dict[str, float]:
    """R2 of every target, by "standardized/<target>/r2"."""
    flat = features.reshape(len(features), -1)
    scores = ridge_r2(flat, targets.values, targets.train, targets.val, targets.test)
    return {
        f"standardized/{name}/r2": score for name, score in zip(targets.names, scores.tolist(), strict=True)
    }
