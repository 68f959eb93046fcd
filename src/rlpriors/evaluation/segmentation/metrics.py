"""Segmentation metrics: intersection over union and pixel accuracy.

`SegmentationScores`   mean IoU, pixel accuracy and the IoU of each class
`segmentation_scores`  scores of predicted masks
`check_labels`         validation of the labels in masks
`IGNORED`              label of pixels that are left out
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, UInt8

from rlpriors.evaluation.array_arguments import array_arguments

__all__ = ["IGNORED", "SegmentationScores", "check_labels", "segmentation_scores"]

IGNORED = 255
CHUNK = 1024
"""Number of frames that are counted at once."""


class SegmentationScores(NamedTuple):
    """Segmentation scores, each in [0, 1]."""

    miou: float
    """Mean of `iou` over the classes that occur as truth or prediction."""
    pixel_accuracy: float
    """Fraction of correct pixels.  It carries little information where one class fills the frame."""
    iou: Float[np.ndarray, " classes"]
    """Intersection over union of each class; NaN for classes that do not occur."""


@array_arguments(predicted=1, truth=1)
def segmentation_scores(
    predicted: Integer[np.ndarray, "frames height width"],
    truth: UInt8[np.ndarray, "frames height width"],
    n_classes: int,
) -> SegmentationScores:
    """Score predicted masks over the pixels of all frames; pixels with 255 in `truth` are left out.

    Raises:
        ValueError: the shapes differ, a label is outside 0..n_classes-1, or all pixels are left out.

    Example:
        >>> truth = np.array([[[0, 0, 0, 1, 255]]], np.uint8)
        >>> predicted = np.array([[[0, 0, 1, 1, 0]]], np.uint8)
        >>> scores = segmentation_scores(predicted, truth, n_classes=3)
        >>> scores.iou.round(3).tolist(), round(scores.miou, 3), scores.pixel_accuracy
        ([0.667, 0.5, nan], 0.583, 0.75)
    """
    if predicted.shape != truth.shape:
        raise ValueError(
            f"`predicted` must have the shape of `truth`, {truth.shape}. Received {predicted.shape}."
        )
    check_labels("predicted", predicted, n_classes, ignored=False)
    check_labels("truth", truth, n_classes)
    counts = np.zeros((n_classes, n_classes), np.int64)  # rows are true, columns predicted
    for first in range(0, len(truth), CHUNK):
        labels, guesses = truth[first : first + CHUNK], predicted[first : first + CHUNK]
        counted = labels != IGNORED
        pairs = labels[counted].astype(np.int64) * n_classes + guesses[counted].astype(np.int64)
        counts += np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
    if not counts.any():
        raise ValueError("`truth` must label at least one pixel. Received only 255.")
    both = counts.diagonal().astype(np.float64)
    either = counts.sum(0) + counts.sum(1) - counts.diagonal()
    iou = np.divide(both, either, out=np.full(n_classes, np.nan), where=either > 0)
    return SegmentationScores(float(np.nanmean(iou)), float(both.sum() / counts.sum()), iou)


def check_labels(name: str, masks: np.ndarray, n_classes: int, *, ignored: bool = True) -> None:
    """Check that masks hold only the labels 0..n_classes-1 and, if `ignored`, 255.

    Raises:
        ValueError: another label occurs, or `n_classes` is out of bounds.
    """
    if not 2 <= n_classes <= IGNORED:
        raise ValueError(f"`n_classes` must be in 2..{IGNORED}. Received {n_classes}.")
    for first in range(0, len(masks), CHUNK):
        part = masks[first : first + CHUNK]
        wrong = (part < 0) | (part >= n_classes)
        if ignored:
            wrong &= part != IGNORED
        if wrong.any():
            row = first + int(np.flatnonzero(wrong.any(tuple(range(1, part.ndim))))[0])
            raise ValueError(
                f"`{name}` must hold labels in 0..{n_classes - 1}{f' or {IGNORED}' if ignored else ''}. "
                f"Received {part[wrong][0]}, first in frame {row}; raise `n_classes`, or pass other masks."
            )
