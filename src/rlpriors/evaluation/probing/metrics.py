"""How good predicted labels are: F1 and accuracy, by variable, by category and on the whole.

`Scores`                  weighted F1, macro F1 and accuracy
`classification_scores`   those of one variable
`ProbeScores`             those of a `ProbeTask`, with their means
`score_predictions`       from predicted labels
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Int

from rlpriors.evaluation.probing.labels import ProbeTask

__all__ = ["ProbeScores", "Scores", "classification_scores", "score_predictions"]


class Scores(NamedTuple):
    """How good predictions are, each number in [0, 1]."""

    f1_weighted: float
    """Mean F1 over classes, weighted by how often they are true: what papers report.  Hides rare ones."""
    f1_macro: float
    """Mean F1 over classes, each counted alike."""
    accuracy: float
    """Part that is right."""


@dataclass(frozen=True)
class ProbeScores:
    """What a representation shows of a `ProbeTask`."""

    variables: Mapping[str, Scores]
    """By variable."""
    categories: Mapping[str, Scores]
    """By category, the mean over its variables."""
    mean: Scores
    """The mean over categories, so that one with many variables does not count more."""


def classification_scores(truth: Int[np.ndarray, " frames"], predicted: Int[np.ndarray, " frames"]) -> Scores:
    """Scores of predicted classes.

    By scikit-learn: macro F1 is the mean over all classes that are true or predicted somewhere, and a
    class that is never right has F1 0.

    Raises:
        ValueError: there are no frames.

    Example:
        >>> truth, predicted = np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1])
        >>> scores = classification_scores(truth, predicted)  # F1 of the classes: 4/5 and 2/3
        >>> [round(score, 4) for score in scores]
        [0.7667, 0.7333, 0.75]
    """
    # Takes a second to import, which few need.
    from sklearn.metrics import accuracy_score, f1_score

    if not len(truth):
        raise ValueError("`truth` must hold at least one label. Received none.")
    return Scores(
        f1_weighted=float(f1_score(truth, predicted, average="weighted")),
        f1_macro=float(f1_score(truth, predicted, average="macro")),
        accuracy=float(accuracy_score(truth, predicted)),
    )


def score_predictions(task: ProbeTask, predicted: Int[np.ndarray, "judging variables"]) -> ProbeScores:
    """Scores of labels that were predicted for the test part of `task`.

    Where no variable belongs to a category, the mean is over the variables.
    """
    truth = task.labels[task.test]
    variables = {
        name: classification_scores(truth[:, column], predicted[:, column])
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
