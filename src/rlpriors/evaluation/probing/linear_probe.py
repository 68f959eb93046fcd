"""Linear probes of a representation by the protocol of AtariARI, on precomputed features.

`PROTOCOLS`          `published` uses features unchanged, `standardized` scales them first
`probe`              linear probes for all variables of a task, and their scores
`majority_baseline`  scores of the most frequent label
`downsample`         small frames as features, the control that encoders should beat

    task = make_task(labels, store.lengths, keys=frame_keys(store.frames))
    probe(features, task, "standardized").mean.f1_weighted

AtariARI (Anand et al. 2019, arXiv 1906.08226) trains probes with one learning rate on unscaled features.
Probes of small features then learn almost nothing, for any encoder.  The first protocol serves the
comparison with papers, the second the comparison of encoders.
"""

from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch.nn import functional as F

from rlpriors.arguments import check_arguments
from rlpriors.evaluation.probing.batched_linear import ProbeSettings
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.metrics import ProbeScores, score_predictions
from rlpriors.evaluation.probing.sampling import Sampling, frame_weights
from rlpriors.evaluation.probing.training import fit_probe

__all__ = ["PROTOCOLS", "Protocol", "downsample", "majority_baseline", "probe"]

Protocol = Literal["published", "standardized"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)


@check_arguments
def probe(
    features: Float[np.ndarray, "frames *dims"],
    task: ProbeTask,
    protocol: str,
    settings: ProbeSettings | None = None,
    *,
    seed: int = 0,
    device: str | torch.device = "auto",
    progress: bool = False,
) -> ProbeScores:
    """Train linear probes on `features` of all frames of `task`, and score them on its test part.

    Features of several dimensions are flattened.  `fit_probe` documents the training.

    Raises:
        ValueError: features are not finite or not one for each frame, or the protocol is unknown.

    Example:
        >>> from rlpriors.evaluation.probing.labels import make_task
        >>> level = np.arange(400) % 4
        >>> task = make_task({"level": level}, np.full(10, 40))
        >>> features, settings = np.eye(4, dtype=np.float32)[level], ProbeSettings(lr=0.01)
        >>> probe(features, task, "standardized", settings, device="cpu").mean.f1_weighted
        1.0
    """
    if protocol not in PROTOCOLS:
        raise ValueError(f"`protocol` must be one of {list(PROTOCOLS)}. Received {protocol!r}.")
    if not features.size:
        raise ValueError(f"`features` must hold numbers. Received shape {features.shape}.")
    flat = features.reshape(len(features), -1)
    fitted = fit_probe(
        flat,
        task,
        settings,
        standardize=protocol == "standardized",
        seed=seed,
        device=device,
        progress=progress,
    )
    sampling = (settings or ProbeSettings()).sampling
    return score_predictions(task, fitted.predict(flat, task.test), sampling)


@check_arguments
def majority_baseline(task: ProbeTask, sampling: Sampling = "random") -> ProbeScores:
    """Score the most frequent label of the training part as the prediction for all frames.

    `sampling` weighs the frames, in training and in the scores.

    Raises:
        ValueError: `sampling` is unknown.

    Example:
        >>> from rlpriors.evaluation.probing.labels import make_task
        >>> level = np.arange(400) % 4
        >>> majority_baseline(make_task({"level": level}, np.full(10, 40))).mean.accuracy
        0.25
    """
    if sampling not in get_args(Sampling):
        raise ValueError(f"`sampling` must be one of {list(get_args(Sampling))}. Received {sampling!r}.")
    weights = frame_weights(task, task.train, sampling)
    most_frequent = [np.bincount(column, weights).argmax() for column in task.labels[task.train].T]
    return score_predictions(task, np.tile(most_frequent, (len(task.test), 1)), sampling)


@check_arguments
def downsample(
    frames: UInt8[np.ndarray, "frames height width channels"], size: tuple[int, int] = (42, 32)
) -> Float[np.ndarray, "frames dim"]:
    """Average frames over areas down to `size` and flatten them to features in [0, 1].

    Raises:
        ValueError: `size` is below 1.
    """
    if min(size) < 1:
        raise ValueError(f"`size` must be at least 1. Received {size}.")
    if max(size) >= 2**15:
        raise ValueError(f"`size` must be below 2**15. Received {size}.")
    chunks = [
        F.interpolate(torch.from_numpy(np.array(chunk)).movedim(-1, 1).float() / 255, size, mode="area")
        for chunk in np.array_split(frames, max(1, len(frames) // 256))
    ]
    return torch.cat(chunks).flatten(1).numpy()
