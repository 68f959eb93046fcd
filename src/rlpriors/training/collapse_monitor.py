"""Feature statistics of an encoder in training, and pictures.

`log_feature_statistics`  a callback of `train_encoder`: pictures, RankMe and the spread of features
"""

from collections.abc import Mapping

import numpy as np

from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.representation import RepresentationLearner
from rlpriors.training.representation import TrainingCallback
from rlpriors.training.tracking.figures import image_grid
from rlpriors.training.tracking.writer import RunWriter

__all__ = ["log_feature_statistics"]


def log_feature_statistics(
    learner: RepresentationLearner, *, log_every: int, sample_size: int
) -> TrainingCallback:
    """Return a callback that logs pictures and measures of collapse.

    Pictures are the recipe's inputs and reconstructions.  "rankme" and "feature_std" are measured on the
    features of `sample_size` frames.  Both are logged every `log_every` updates and after the last update.
    The training does not depend on them: the weights are bit-equal with and without the callback.
    """

    def log(writer: RunWriter, step: int) -> Mapping[str, float]:
        if step % log_every and step < learner.settings.updates:
            return {}
        for name, images in learner.visualize(8).items():
            writer.image(f"pictures/{name}", image_grid(images), step)
        features = _encode_sample(learner, sample_size)
        statistics = {"rankme": rankme(features), "feature_std": feature_std(features)}
        writer.scalars({f"diagnostics/{name}": value for name, value in statistics.items()}, step)
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
