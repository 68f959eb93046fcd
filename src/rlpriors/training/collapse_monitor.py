"""What TensorBoard shows of an encoder while it learns: pictures, and whether its features collapse.

`looks`  for `learn_encoder`, every so many updates and after the last
"""

from collections.abc import Mapping

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

from rlpriors.evaluation.probing.rank import feature_std, rankme
from rlpriors.representation import RepresentationLearner
from rlpriors.training.representation import Look

__all__ = ["looks"]


def looks(learner: RepresentationLearner, *, every: int, sample: int) -> Look:
    """Pictures of what the recipe reconstructs, and "rankme" and "feature_std" of `sample` frames' features.

    Nothing that is learned depends on them: an encoder that was looked at is equal to the bit to one
    that was not.
    """

    def look(writer: SummaryWriter, step: int) -> Mapping[str, float]:
        if step % every and step < learner.settings.updates:
            return {}
        for name, images in learner.pictures(8).items():
            writer.add_images(f"pictures/{name}", _colors(images), step)
        features = _encode_sample(learner, sample)
        measures = {"rankme": rankme(features), "feature_std": feature_std(features)}
        for name, value in measures.items():
            writer.add_scalar(f"collapse/{name}", value, step)
        return measures

    return look


def _encode_sample(learner: RepresentationLearner, sample: int) -> np.ndarray:
    """Features of frames spread evenly over all data, as the encoder gives them when it is published."""
    encoder, starts = learner.encoder, learner.windows.starts
    chosen = starts[np.linspace(0, len(starts) - 1, min(sample, len(starts))).astype(int)]
    encoder.eval()
    parts = [
        encoder.encode(learner.windows.at(some).frames[:, 0]).flatten(1).cpu().numpy()
        for some in np.array_split(chosen, -(-len(chosen) // 128))
    ]
    encoder.train()
    return np.concatenate(parts)


def _colors(images: torch.Tensor) -> torch.Tensor:
    """As many channels as a picture may have."""
    return images if images.shape[1] in (1, 3) else images[:, :1]
