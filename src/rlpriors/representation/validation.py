"""What a trained recipe makes of frames that it did not learn from.

`held_out_losses`  each loss on other frames; nothing is learned
"""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.representation.learner import RepresentationLearner

__all__ = ["held_out_losses"]


def held_out_losses(
    learner: RepresentationLearner,
    store: FrameStore | Sequence[FrameStore],
    *,
    windows: int = 1024,
    seed: int = 0,
) -> dict[str, float]:
    """Each loss by its name, and their sum as "loss": means over at most so many windows of `store`.

    For `mae` it is the error of painting what is hidden of images from elsewhere, a distance between
    what was learned and what is asked.  Windows, masks and augmentations follow `seed`; networks stay in
    evaluation mode, and nothing moves.

    Raises:
        ValueError: frames are not of the size that was learned from, or give no batch of the recipe's
            smallest size.
    """
    model, size = learner.model, learner.batch_size
    found = learner.windows.like(store)
    if found.frame_shape != learner.windows.frame_shape:
        raise ValueError(
            f"`store` must hold frames of {learner.windows.frame_shape}, as were learned from. Received "
            f"{found.frame_shape}; write them in that size."
        )
    found.check(learner.recipe.min_batch_size)
    if "act" in learner.recipe.needs and found.actions is None:
        raise ValueError(f"`store` must have `act`, which {learner.recipe.name!r} learns from. It has none.")
    order = np.random.default_rng(seed).permutation(found.starts)[:windows]
    batches = []
    for pool in found.pools:
        rows = order[np.isin(order, pool)]
        batches += [batch for batch in np.split(rows, range(size, len(rows), size)) if len(batch)]
    enough = [batch for batch in batches if len(batch) >= learner.recipe.min_batch_size]
    batches = enough or batches
    sums: dict[str, float] = defaultdict(float)
    training, outputs = model.training, model.outputs
    model.eval()
    devices = [learner.device] if learner.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices), torch.no_grad():
            torch.manual_seed(seed)
            for starts in batches:
                for name, value in model(found.at(np.sort(starts))).items():
                    sums[name] += value.item() * len(starts)
    finally:
        model.train(training)
        model.outputs = outputs
    return {name: total / sum(map(len, batches)) for name, total in sums.items()}
