"""Answers of an earlier session."""

from pathlib import Path

import pytest
from comparisons import counting_store

from rlpriors.preferences import (
    CachedLabeler,
    Label,
    OracleLabeler,
    collect_preferences,
    cut_clip,
    uniform_pairs,
)

STORE = counting_store()
PAIRS = uniform_pairs(STORE, 6, 3, seed=1)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "labels.jsonl"
    collect_preferences(OracleLabeler(), STORE, PAIRS, 3, "count", path)
    return path


def test_stored_answers_in_both_orders(path: Path) -> None:
    labeler, oracle = CachedLabeler(path, STORE), OracleLabeler()
    for pair in PAIRS.tolist():
        first, second = (cut_clip(STORE, *clip, 3) for clip in pair)
        assert labeler("count", first, second) == oracle("count", first, second)
        assert labeler("count", second, first) == oracle("count", second, first)


def test_new_pairs_ask_the_fallback_once(path: Path) -> None:
    asked = []

    def fallback(task: str, first: object, second: object, /) -> Label:
        asked.append(task)
        return Label(1, 0.5)

    labeler = CachedLabeler(path, STORE, fallback)
    first, second = cut_clip(STORE, 0, 0, 2), cut_clip(STORE, 0, 1, 2)
    assert labeler("count", first, second) == labeler("count", first, second) == Label(1, 0.5)
    assert labeler("count", second, first) == Label(0, 0.5)
    assert asked == ["count"]
    known = (cut_clip(STORE, *clip, 3) for clip in PAIRS[0].tolist())
    labeler("count", *known)
    assert asked == ["count"]


def test_new_pairs_without_a_fallback(path: Path) -> None:
    with pytest.raises(ValueError, match="There is no stored label for this pair, among 6 pairs"):
        CachedLabeler(path, STORE)("count", cut_clip(STORE, 0, 0, 2), cut_clip(STORE, 0, 1, 2))


def test_other_tasks_and_other_data_are_refused(path: Path) -> None:
    clips = [cut_clip(STORE, *clip, 3) for clip in PAIRS[0].tolist()]
    with pytest.raises(ValueError, match="belong to the task 'count'"):
        CachedLabeler(path, STORE)("jump", *clips)
    with pytest.raises(ValueError, match="belong to the data set with the fingerprint"):
        CachedLabeler(path, counting_store((9, 5)))
