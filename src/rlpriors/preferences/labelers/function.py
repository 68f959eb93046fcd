"""Answers of a function, such as a vision-language model that the user runs.

`CallableLabeler`  labeler that calls a function of clips or of pictures
`parse_answer`     label from the text of an answer
`select_frames`    pictures at equal distances
"""

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import UInt8

from rlpriors.arguments import check_arguments
from rlpriors.preferences.clips import Clip
from rlpriors.preferences.labels import Label, check_label, swap_label

__all__ = ["CallableLabeler", "parse_answer", "select_frames"]

ANSWERS: Mapping[str, int] = {"0": 0, "1": 1, "-1": -1}
"""Answers of `parse_answer` and their labels."""


class CallableLabeler:
    """Labeler that calls a function of the task and two segments.

    `function(task, first, second)` returns 0, 1 or -1, alone or with a confidence.  It may send pictures to
    a vision-language model and parse the model's text by `parse_answer`.

    Args:
        function: the function.
        paint: function from a clip to pictures [n, rows, columns, 3] of uint8, such as a `ClipPainter`:
            `function` then receives these in place of the clips.
        n_frames: largest number of pictures of a segment, at equal distances with the first and the last
            one; None for all.
        both_orders: call the function a second time with first and second exchanged.  If the two answers
            differ, the label is -1.  It removes the preference of many models for one position.

    Raises:
        ValueError: an argument is out of its bounds, or the function returns something else.

    Example:
        >>> longest = CallableLabeler(lambda task, a, b: int(len(b.act) > len(a.act)))
        >>> clips = [Clip(np.zeros(n + 1), np.zeros(n), np.zeros(n), np.zeros(n, bool)) for n in (2, 5)]
        >>> longest("stay alive", *clips)
        Label(value=1, confidence=1.0)
    """

    @check_arguments
    def __init__(
        self,
        function: Callable[..., Any],
        paint: Callable[[Clip], np.ndarray] | None = None,
        n_frames: int | None = None,
        both_orders: bool = False,
    ) -> None:
        if n_frames is not None and (n_frames < 1 or paint is None):
            raise ValueError(
                f"`n_frames` must be at least 1, and needs `paint`. Received {n_frames} and {paint!r}."
            )
        self.function = function
        self.paint = paint
        self.n_frames = n_frames
        self.both_orders = both_orders

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        """Return the checked answer of the function."""
        if self.paint is None:
            return self._ask(task, first, second)
        pictures = (select_frames(self.paint(clip), self.n_frames) for clip in (first, second))
        return self._ask(task, *pictures)

    def _ask(self, task: str, first: Any, second: Any) -> Label:
        label = check_label(self.function(task, first, second))
        if not self.both_orders:
            return label
        again = swap_label(check_label(self.function(task, second, first)))
        confidence = min(label.confidence, again.confidence)
        return Label(label.value if again.value == label.value else -1, confidence)


def parse_answer(text: str, answers: Mapping[str, int] = ANSWERS) -> int:
    r"""Return the label of a model's answer, whose last line must be one of `answers` and nothing else.

    Case, surrounding spaces, quotes, asterisks and a final period are ignored.  A model may reason in the
    lines before.

    Raises:
        ValueError: the last line is something else.

    Example:
        >>> parse_answer("The arm in image 2 is closer.\n1")
        1
        >>> parse_answer("**Second.**", {"first": 0, "second": 1, "neither": -1})
        1
    """
    lines = text.strip().splitlines()
    last = re.sub(r"^[\s\"'*`]+|[\s\"'*`.]+$", "", lines[-1] if lines else "").lower()
    for answer, label in answers.items():
        if last == answer.lower():
            return label
    raise ValueError(
        f"The last line of an answer must be one of {', '.join(map(repr, answers))}. Received {last!r}; "
        "state this form in the prompt, or map unclear answers to -1."
    )


def select_frames(frames: UInt8[np.ndarray, "n h w 3"], n: int | None) -> UInt8[np.ndarray, "m h w 3"]:
    """Return at most `n` of the pictures, at equal distances, with the first and the last one; None for all.

    Example:
        >>> select_frames(np.arange(10, dtype=np.uint8).repeat(3).reshape(10, 1, 1, 3), 4)[:, 0, 0, 0]
        array([0, 3, 6, 9], dtype=uint8)
    """
    if n is None or n >= len(frames):
        return frames
    if n == 1:
        return frames[-1:]
    return np.asarray(frames[np.linspace(0, len(frames) - 1, n).round().astype(int)])
