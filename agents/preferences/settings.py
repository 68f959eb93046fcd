"""Settings and training statistics of learning from preferences.

`PreferenceSettings`  settings of `PreferenceLearning`
`PreferenceStats`     training statistics of one update
"""

from dataclasses import dataclass
from typing import Literal

from tianshou.algorithm.algorithm_base import TrainingStats

from rlpriors.settings import check_fields

__all__ = ["PreferenceSettings", "PreferenceStats"]


@dataclass(frozen=True)
class PreferenceSettings:
    """Settings of `PreferenceLearning`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    held_out: float = 0.2
    """Fraction of the pairs that is kept from the training and determines its end, in [0, 1).  With 0 the
    training takes all updates and keeps the last weights."""

    check_every: int = 25
    """Number of updates between two measurements on the held-out pairs, at least 1."""

    patience: int = 10
    """Number of measurements without improvement after which the weights no longer change, at least 1."""

    undecided: Literal["drop", "half"] = "drop"
    """Treatment of pairs without a decision: "drop" leaves them out, "half" trains both sides to equal
    scores."""

    resample: Literal["shuffle", "bootstrap"] = "shuffle"
    """Pairs of each member of an ensemble: "shuffle" is all pairs in an order of its own, "bootstrap" is as
    many pairs drawn with replacement."""

    magnitude_penalty: float = 1e-3
    """Weight of the mean squared reward of a step, at least 0.  It keeps the scores of separable pairs
    finite."""

    degree_weight: float = 0.3
    """Weight of the loss of graded segments relative to that of the pairs, at least 0; it is read only if
    graded episodes are given."""

    def __post_init__(self) -> None:
        check_fields(self)
        if not 0 <= self.held_out < 1:
            raise ValueError(f"`held_out` must be in [0, 1). Received {self.held_out}.")
        for name in ("check_every", "patience"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("magnitude_penalty", "degree_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")


@dataclass(kw_only=True)
class PreferenceStats(TrainingStats):
    """Training statistics of one update, means over the members of an ensemble."""

    loss: float
    """Bradley-Terry loss of the batch; 0.69 is the loss of equal scores."""
    accuracy: float
    """Fraction of the batch's decided pairs that the reward orders as their labels do."""
    held_out_loss: float
    """Bradley-Terry loss of the held-out pairs at the last measurement; NaN before the first."""
    held_out_accuracy: float
    """Fraction of the held-out pairs that are ordered correctly at the last measurement."""
    best_accuracy: float
    """Fraction of the held-out pairs that the kept weights order correctly."""
    degree_loss: float
    """Loss of graded segments before its weight; 0 without graded episodes."""
