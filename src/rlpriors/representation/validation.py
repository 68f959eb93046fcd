"""Losses of a trained recipe on held-out frames.

`validation_losses`  mean of each loss over clips of other frames, without training
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.representation.learner import RepresentationLearner

__all__ = ["validation_losses"]


def validation_losses(
    learner: RepresentationLearner,
    store: FrameStore | Sequence[FrameStore],
    *,
    n_clips: int = 1024,
    seed: int = 0,
) -> dict[str, float]:
    """Return the mean of each loss by its name, and of their sum as "loss", over clips of `store`.

    At most `n_clips` clips are drawn.  For `mae` the loss is the reconstruction error of masked patches, a
    distance between the training frames and those of `store`.  Clips, masks and augmentations follow
    `seed`.  Networks stay in evaluation mode, and no weight or buffer changes.

    Raises:
        ValueError: frames have another size than the training frames, there are fewer clips than the
            recipe's smallest batch, or actions are missing.
    """
    model, size = learner.model, learner.batch_size
    clips = learner.clips.like(store)
    if clips.frame_shape != learner.clips.frame_shape:
        raise ValueError(
            f"`store` must hold frames of {learner.clips.frame_shape}, the shape of the training frames. "
            f"Received {clips.frame_shape}; write them in that size."
        )
    clips.check(learner.recipe.min_batch_size)
    if "act" in learner.recipe.needs and clips.actions is None:
        raise ValueError(
            f"`store` must have `act`, which recipe {learner.recipe.name!r} needs. Received a store without."
        )
    order = np.random.default_rng(seed).permutation(clips.starts)[:n_clips]
    batches = []
    for starts in clips.starts_by_source:
        rows = order[np.isin(order, starts)]
        batches += [batch for batch in np.split(rows, range(size, len(rows), size)) if len(batch)]
    large_enough = [batch for batch in batches if len(batch) >= learner.recipe.min_batch_size]
    batches = large_enough or batches
    sums: dict[str, float] = defaultdict(float)
    training, outputs = model.training, model.outputs
    model.eval()
    devices = [learner.device] if learner.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(seed)
            for starts in batches:
                for name, value in model(clips.at(np.sort(starts))).items():
                    sums[name] += value.item() * len(starts)
    finally:
        model.train(training)
        model.outputs = outputs
    return {name: total / sum(map(len, batches)) for name, total in sums.items()}
