"""How good predicted masks are: intersection over union, and the part of pixels that is right.

`SegmentationScores`    both, and each class by itself
`segmentation_scores`   from predicted and true masks
`check_labels`          refuses masks with classes that there are not
`IGNORED`               the label of pixels that are not judged
"""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Integer, UInt8

__all__ = ["IGNORED", "SegmentationScores", "check_labels", "segmentation_scores"]

IGNORED = 255
CHUNK = 1024
"""Frames that are counted at once."""


class SegmentationScores(NamedTuple):
    """How good masks are, each number in [0, 1]."""

    miou: float
    """Mean of `iou` over the classes that are true or predicted somewhere."""
    pixel_accuracy: float
    """Part of the judged pixels that is right.  Says little where one class fills the frame."""
    iou: Float[np.ndarray, " classes"]
    """Of each class the pixels that are both predicted and true, among those that are either; NaN where
    none is."""


def segmentation_scores(
    predicted: Integer[np.ndarray, "frames height width"],
    truth: UInt8[np.ndarray, "frames height width"],
    n_classes: int,
) -> SegmentationScores:
    """Scores of predicted masks, over the pixels of all frames together; 255 in `truth` is not judged.

    Raises:
        ValueError: the two differ in shape, a label is outside 0..n_classes-1, or nothing is judged.

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
        told, said = truth[first : first + CHUNK], predicted[first : first + CHUNK]
        judged = told != IGNORED
        pairs = told[judged].astype(np.int64) * n_classes + said[judged].astype(np.int64)
        counts += np.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
    if not counts.any():
        raise ValueError("`truth` must judge at least one pixel. Received none that is not 255.")
    both = counts.diagonal().astype(np.float64)
    either = counts.sum(0) + counts.sum(1) - counts.diagonal()
    iou = np.divide(both, either, out=np.full(n_classes, np.nan), where=either > 0)
    return SegmentationScores(float(np.nanmean(iou)), float(both.sum() / counts.sum()), iou)


def check_labels(name: str, masks: np.ndarray, n_classes: int, *, ignored: bool = True) -> None:
    """Refuse masks that hold other labels than 0..n_classes-1 and, if `ignored`, 255.

    Raises:
        ValueError: they do, or there cannot be that many classes.
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
                f"Received {part[wrong][0]}, first in frame {row}; raise `n_classes`, or give other masks."
            )
