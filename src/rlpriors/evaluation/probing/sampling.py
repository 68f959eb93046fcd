"""Sampling of a task's frames: all with equal weight, or all episodes with equal weight.

`Sampling`        names of the samplings
`draw_epoch`      training frames of one epoch
`frame_weights`   weights of frames in accuracy and F1

AtariARI's code (arXiv 1906.08226) draws an episode, each with equal probability, and then one of its frames.
A frame of a short episode is then drawn more often than one of a long episode.  In tests that code draws as
well; here each test frame counts once, with its probability as the weight, so that scores have no noise of
the draw.
"""

from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from rlpriors.evaluation.probing.labels import ProbeTask

__all__ = ["Sampling", "draw_epoch", "frame_weights"]

Sampling = Literal["random", "episode-uniform"]


def draw_epoch(task: ProbeTask, sampling: Sampling, rng: np.random.Generator) -> Int[np.ndarray, " train"]:
    """Return the training frames of one epoch in random order.

    With "random" each frame occurs once.  With "episode-uniform" equally many frames are drawn with
    replacement: first an episode, then one of its frames.
    """
    if sampling == "random":
        return rng.permutation(task.train)
    _, place, counts = np.unique(task.episodes[task.train], return_inverse=True, return_counts=True)
    by_episode = task.train[np.argsort(place, kind="stable")]
    starts = np.cumsum(counts) - counts
    episodes = rng.integers(len(counts), size=len(task.train))
    drawn: Int[np.ndarray, " train"] = by_episode[starts[episodes] + rng.integers(counts[episodes])]
    return drawn


def frame_weights(
    task: ProbeTask, rows: Int[np.ndarray, " rows"], sampling: Sampling
) -> Float[np.ndarray, " rows"]:
    """Return the weights of the frames in `rows`, whose mean is 1.

    With "episode-uniform" all episodes among `rows` have the same sum.

    Example:
        >>> from rlpriors.evaluation.probing.labels import make_task
        >>> task = make_task({"level": np.arange(24) % 4}, np.array([4, 8, 12]))
        >>> frame_weights(task, np.arange(12), "episode-uniform")[[0, 11]]
        array([1.5 , 0.75])
    """
    if sampling == "random":
        return np.ones(len(rows))
    _, place, counts = np.unique(task.episodes[rows], return_inverse=True, return_counts=True)
    weights: Float[np.ndarray, " rows"] = len(rows) / (len(counts) * counts[place])
    return weights
