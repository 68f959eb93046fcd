"""Classification metrics of probes: F1 and accuracy by variable, by category and in the mean.

`Scores`                 weighted F1, macro F1 and accuracy
`ProbeScores`            scores of a `ProbeTask`, with their means
`classification_scores`  scores of one variable
`score_predictions`      scores of predicted labels of a task
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from rlpriors.evaluation.array_arguments import array_arguments
from rlpriors.evaluation.probing.labels import ProbeTask
from rlpriors.evaluation.probing.sampling import Sampling, frame_weights

__all__ = ["ProbeScores", "Scores", "classification_scores", "score_predictions"]


class Scores(NamedTuple):
    """Classification scores, each in [0, 1]."""

    f1_weighted: float
    """Mean F1 over classes, weighted by their frequency, as in the papers.  It hides rare classes."""
    f1_macro: float
    """Unweighted mean F1 over classes."""
    accuracy: float
    """Fraction of correct predictions."""


@dataclass(frozen=True)
class ProbeScores:
    """Probe scores of a representation on a `ProbeTask`."""

    variables: Mapping[str, Scores]
    """Scores of each variable."""
    categories: Mapping[str, Scores]
    """Mean scores of each category over its variables."""
    mean: Scores
    """Mean over categories, so that a category with many variables has no larger weight."""


@array_arguments(truth=1, predicted=1, weights=1)
def classification_scores(
    truth: Int[np.ndarray, " frames"],
    predicted: Int[np.ndarray, " frames"],
    weights: Float[np.ndarray, " frames"] | None = None,
) -> Scores:
    """Compute the scores of predicted classes by scikit-learn.

    `weights` are those of the frames, equal by default.  Macro F1 is the mean over all classes that occur
    as truth or prediction.  A class that is never predicted correctly has F1 0.

    Raises:
        ValueError: there are no frames.

    Example:
        >>> truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
        >>> scores = classification_scores(truth, predicted)  # F1 of the classes: 4/5 and 2/3
        >>> [round(score, 4) for score in scores]
        [0.7667, 0.7333, 0.75]
    """
    # Imported here, since it takes a second.
    from sklearn.metrics import accuracy_score, f1_score

    if not len(truth):
        raise ValueError("`truth` must hold at least one label. Received none.")
    return Scores(
        f1_weighted=float(f1_score(truth, predicted, average="weighted", sample_weight=weights)),
        f1_macro=float(f1_score(truth, predicted, average="macro", sample_weight=weights)),
        accuracy=float(accuracy_score(truth, predicted, sample_weight=weights)),
    )


def score_predictions(
    task: ProbeTask, predicted: Int[np.ndarray, "test variables"], sampling: Sampling = "random"
) -> ProbeScores:
    """Score labels that were predicted for the test part of `task`.

    If no variable belongs to a category, the mean is over the variables.
    """
    truth = task.labels[task.test]
    weights = None if sampling == "random" else frame_weights(task, task.test, sampling)
    variables = {
        name: classification_scores(truth[:, column], predicted[:, column], weights)
        for column, name in enumerate(task.names)
    }
    members: dict[str, list[Scores]] = {}
    for name, scores in variables.items():
        for category in task.categories[name]:
            members.setdefault(category, []).append(scores)
    categories = {category: _mean(scores) for category, scores in members.items()}
    return ProbeScores(variables, categories, _mean(list((categories or variables).values())))


def _mean(scores: list[Scores]) -> Scores:
    return Scores(*np.mean(scores, axis=0).tolist())
