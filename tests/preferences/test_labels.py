"""Answers to comparisons."""

from typing import Any

import numpy as np
import pytest

from rlpriors.preferences.labels import Label, check_label, swap_label


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (0, Label(0)),
        (-1, Label(-1)),
        (np.int64(1), Label(1)),
        ((1, 0.25), Label(1, 0.25)),
        (Label(0, 0.5), Label(0, 0.5)),
        ((0, np.float32(0.5)), Label(0, 0.5)),
    ],
)
def test_answers(given: Any, expected: Label) -> None:
    label = check_label(given)
    assert label == expected
    assert [type(part) for part in label] == [int, float]


@pytest.mark.parametrize("given", [2, -2, "1", None, 0.0, True, (0, 1, 1), [0, 1.0]])
def test_anything_else_is_refused(given: Any) -> None:
    with pytest.raises(ValueError, match="A label must be 0"):
        check_label(given)


@pytest.mark.parametrize("confidence", [0.0, 1.01, -0.5, float("nan"), "high", None, True])
def test_confidences_are_in_bounds(confidence: Any) -> None:
    with pytest.raises(ValueError, match="`confidence` of a label must be above 0 and at most 1"):
        check_label((0, confidence))


def test_swapping_twice_is_the_same() -> None:
    for label in (Label(0, 0.3), Label(1), Label(-1, 0.5)):
        assert swap_label(swap_label(label)) == label
