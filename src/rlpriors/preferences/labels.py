"""Answers to comparisons.

`Label`        answer to one comparison
`check_label`  checks of an answer
`swap_label`   answer to the same comparison in the other order
"""

from typing import Any, NamedTuple

__all__ = ["Label", "check_label", "swap_label"]


class Label(NamedTuple):
    """Answer to one comparison."""

    value: int
    """0 if the first segment is better, 1 if the second is, -1 if neither."""
    confidence: float = 1.0
    """Probability of the answer in the opinion of the labeler, in (0, 1]."""


def check_label(label: Any) -> Label:
    """Return an answer as `Label`, from an integer or a pair of an integer and a confidence.

    Raises:
        ValueError: the answer is something else, or out of its bounds.

    Example:
        >>> check_label(1), check_label((0, 0.9))
        (Label(value=1, confidence=1.0), Label(value=0, confidence=0.9))
    """
    value, confidence = label if isinstance(label, tuple) and len(label) == 2 else (label, 1.0)
    if not hasattr(value, "__index__") or isinstance(value, bool) or value not in (0, 1, -1):
        raise ValueError(
            "A label must be 0 (the first is better), 1 (the second) or -1 (neither), alone or with a "
            f"confidence. Received {label!r}."
        )
    number = hasattr(confidence, "__float__") and not isinstance(confidence, bool)
    if not number or not 0 < float(confidence) <= 1:
        raise ValueError(f"`confidence` of a label must be above 0 and at most 1. Received {confidence!r}.")
    return Label(int(value), float(confidence))


def swap_label(label: Label) -> Label:
    """Return the answer to the same comparison with first and second exchanged.

    Example:
        >>> swap_label(Label(0, 0.8)), swap_label(Label(-1))
        (Label(value=1, confidence=0.8), Label(value=-1, confidence=1.0))
    """
    return label if label.value == -1 else Label(1 - label.value, label.confidence)
