"""Answers of a function: what it receives, both orders, strict parsing."""

from typing import Any

import numpy as np
import pytest
from comparisons import counting_store, image_store

from rlpriors.preferences import CallableLabeler, Clip, ClipPainter, Label, cut_clip, parse_answer
from rlpriors.preferences.labelers.function import select_frames

IMAGES = image_store()
FIRST, SECOND = (cut_clip(IMAGES, 0, start, 3) for start in (0, 2))


def test_a_function_of_clips() -> None:
    seen: list[Any] = []

    def compare(task: str, first: Clip, second: Clip) -> tuple[int, float]:
        seen.extend([task, first, second])
        return int(second.rew.sum() > first.rew.sum()), 0.8

    assert CallableLabeler(compare)("move right", FIRST, SECOND) == Label(1, 0.8)
    assert seen == ["move right", FIRST, SECOND]


def test_a_function_of_pictures() -> None:
    def rightmost(task: str, first: np.ndarray, second: np.ndarray) -> int:
        assert first.shape == second.shape == (2, 12, 12, 3)
        columns = [int(frames[-1, 0, :, 0].argmax()) for frames in (first, second)]
        assert columns == [3, 5]
        return int(columns[1] > columns[0])

    assert CallableLabeler(rightmost, ClipPainter(IMAGES), n_frames=2)("", FIRST, SECOND) == Label(1)


def test_drawings_replace_missing_images() -> None:
    store = counting_store()
    shapes: list[tuple[int, ...]] = []

    def look(task: str, first: np.ndarray, second: np.ndarray) -> int:
        shapes.extend([first.shape, second.shape])
        return -1

    clips = [cut_clip(store, episode, 0, 3) for episode in (0, 1)]
    assert CallableLabeler(look, ClipPainter(store))("", *clips) == Label(-1)
    assert shapes[0] == shapes[1] == (1, *shapes[0][1:3], 3)


def test_a_preference_for_one_position_is_removed() -> None:
    assert CallableLabeler(lambda *_: 0)("", FIRST, SECOND) == Label(0)
    assert CallableLabeler(lambda *_: 0, both_orders=True)("", FIRST, SECOND) == Label(-1)

    def honest(task: str, first: Clip, second: Clip) -> tuple[int, float]:
        better = int(second.rew.sum() > first.rew.sum())
        return better, 0.9 if better else 0.6

    assert CallableLabeler(honest, both_orders=True)("", FIRST, SECOND) == Label(1, 0.6)
    assert CallableLabeler(lambda *_: -1, both_orders=True)("", FIRST, SECOND) == Label(-1)


@pytest.mark.parametrize("returned", ["1", None, 2, (1, 0.0)])
def test_wrong_answers_are_refused(returned: Any) -> None:
    with pytest.raises(ValueError, match="label"):
        CallableLabeler(lambda *_: returned)("", FIRST, SECOND)


def test_the_number_of_pictures_needs_a_painter() -> None:
    with pytest.raises(ValueError, match="`n_frames` must be at least 1, and needs `paint`"):
        CallableLabeler(lambda *_: 0, n_frames=4)
    with pytest.raises(ValueError, match="`n_frames` must be at least 1"):
        CallableLabeler(lambda *_: 0, ClipPainter(IMAGES), n_frames=0)


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("1", 1),
        ("0\n", 0),
        (" -1 ", -1),
        ("-1.", -1),
        ("**1**", 1),
        ('"0"', 0),
        ("Image 2 is closer, so 0 is wrong.\n\n1", 1),
    ],
)
def test_answers_in_words(text: str, label: int) -> None:
    assert parse_answer(text) == label


@pytest.mark.parametrize("text", ["", "the answer is 1", "10", "0 or 1", "1\nI am not sure.", "--1", "2"])
def test_unclear_answers_are_errors(text: str) -> None:
    with pytest.raises(ValueError, match="The last line of an answer must be one of '0', '1', '-1'"):
        parse_answer(text)


def test_own_words() -> None:
    words = {"first": 0, "second": 1, "neither": -1}
    assert [parse_answer(f"Hm.\n{word.upper()}.", words) for word in words] == [0, 1, -1]


@pytest.mark.parametrize(
    ("n", "kept"), [(None, range(10)), (12, range(10)), (1, [9]), (2, [0, 9]), (4, [0, 3, 6, 9])]
)
def test_pictures_at_equal_distances(n: int | None, kept: Any) -> None:
    frames = np.arange(10, dtype=np.uint8).repeat(3).reshape(10, 1, 1, 3)
    assert select_frames(frames, n)[:, 0, 0, 0].tolist() == list(kept)
