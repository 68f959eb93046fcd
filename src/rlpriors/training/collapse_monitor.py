"""Feature statistics of an encoder in training, on TensorBoard.

`log_feature_statistics`  a callback of `train_encoder`: pictures, RankMe and the spread of features
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.representation import RepresentationLearner
from rlpriors.training.representation import TrainingCallback

__all__ = ["log_feature_statistics"]


def log_feature_statistics(
    learner: RepresentationLearner, *, log_every: int, sample_size: int
) -> TrainingCallback:
    """Return a callback that logs pictures and measures of collapse.

    Pictures are the recipe's inputs and reconstructions.  "rankme" and "feature_std" are measured on the
    features of `sample_size` frames.  Both are logged every `log_every` updates and after the last update.
    The training does not depend on them: the weights are bit-equal with and without the callback.
    """

    def log(writer: SummaryWriter, step: int) -> Mapping[str, float]:
        if step % log_every and step < learner.settings.updates:
            return {}
        for name, images in learner.visualize(8).items():
            writer.add_images(f"pictures/{name}", _as_picture(images), step)
        features = _encode_sample(learner, sample_size)
        statistics = {"rankme": rankme(features), "feature_std": feature_std(features)}
        for name, value in statistics.items():
            writer.add_scalar(f"collapse/{name}", value, step)
        return statistics

    return log


def _encode_sample(learner: RepresentationLearner, sample_size: int) -> np.ndarray:
    """Return the published encoder's features of frames that are spread evenly over all data."""
    encoder, starts = learner.encoder, learner.clips.starts
    rows = starts[np.linspace(0, len(starts) - 1, min(sample_size, len(starts))).astype(int)]
    encoder.eval()
    features = [
        encoder.encode(learner.clips.at(batch).frames[:, 0]).flatten(1).cpu().numpy()
        for batch in np.array_split(rows, -(-len(rows) // 128))
    ]
    encoder.train()
    return np.concatenate(features)


def _as_picture(images: torch.Tensor) -> torch.Tensor:
    """Return images of 1 or 3 channels; the first channel of others."""
    return images if images.shape[1] in (1, 3) else images[:, :1]
