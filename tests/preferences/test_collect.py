"""Collection of labels: resuming, undo, stop, kills."""

import json
import os
import signal
import subprocess
import sys
import textwrap
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from comparisons import counting_store
from processes import wait_until

from rlpriors.preferences import Clip, Label, OracleLabeler, PreferenceSet, collect_preferences, uniform_pairs
from rlpriors.preferences.labelers import StopLabeling, UndoLabel

STORE = counting_store()
PAIRS = uniform_pairs(STORE, 12, 3, seed=1)


class Script:
    """Labeler that gives prepared answers and records what it was shown."""

    def __init__(self, *answers: int | type[Exception]) -> None:
        self.answers = list(answers)
        self.seen: list[tuple[float, float]] = []
        self.progress: list[tuple[int, int]] = []

    def show_progress(self, done: int, total: int) -> None:
        self.progress.append((done, total))

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        self.seen.append((float(first.obs[0, 0]), float(second.obs[0, 0])))
        answer = self.answers.pop(0)
        if isinstance(answer, int):
            return Label(answer)
        raise answer


def starts(pairs: np.ndarray) -> list[tuple[float, float]]:
    """First observation of both segments of each pair."""
    return [(100.0 * a + b, 100.0 * c + d) for (a, b), (c, d) in pairs.tolist()]


def test_the_labels_are_those_of_the_pairs() -> None:
    script = Script(0, 1, -1, 1)
    labels = collect_preferences(script, STORE, PAIRS[:4], 3, "count")
    assert script.seen == starts(PAIRS[:4])
    assert labels.labels.tolist() == [0, 1, -1, 1]
    assert (labels.clips == PAIRS[:4]).all()
    assert (labels.task, labels.length) == ("count", 3)
    labels.check(STORE)


def test_the_true_order_by_hand() -> None:
    labels = collect_preferences(OracleLabeler(), STORE, PAIRS, 3)
    later = [int(second > first) for first, second in starts(PAIRS)]  # rewards count the steps
    assert labels.labels.tolist() == later


def test_a_second_call_labels_only_what_is_missing(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    script = Script(0, 1, StopLabeling)
    assert collect_preferences(script, STORE, PAIRS[:6], 3, path=path).labels.tolist() == [0, 1]
    script = Script(1, 1, 1, 0)
    labels = collect_preferences(script, STORE, PAIRS[:6], 3, path=path)
    assert script.seen == starts(PAIRS[2:6])
    assert labels.labels.tolist() == [0, 1, 1, 1, 1, 0]
    assert (PreferenceSet.load(path).clips == PAIRS[:6]).all()
    assert collect_preferences(Script(), STORE, PAIRS[:6], 3, path=path).labels.tolist() == [0, 1, 1, 1, 1, 0]


def test_a_pair_may_be_labeled_twice(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    twice = PAIRS[[0, 0]]
    collect_preferences(Script(0), STORE, twice[:1], 3, path=path)
    assert collect_preferences(Script(1), STORE, twice, 3, path=path).labels.tolist() == [0, 1]


def test_undo_repeats_the_comparison_before(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    script = Script(UndoLabel, 0, 0, UndoLabel, UndoLabel, 1, 1, -1)
    labels = collect_preferences(script, STORE, PAIRS[:3], 3, path=path)
    first, second, third = starts(PAIRS[:3])
    assert script.seen == [first, first, second, third, second, first, second, third]
    assert labels.labels.tolist() == PreferenceSet.load(path).labels.tolist() == [1, 1, -1]
    assert script.progress == [(0, 3), (0, 3), (1, 3), (2, 3), (1, 3), (0, 3), (1, 3), (2, 3), (3, 3)]


def test_undo_reaches_labels_of_an_earlier_session(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    collect_preferences(Script(0, 0), STORE, PAIRS[:2], 3, path=path)
    labels = collect_preferences(Script(UndoLabel, 1, 1), STORE, PAIRS[:3], 3, path=path)
    assert labels.labels.tolist() == [0, 1, 1]


def test_each_label_is_on_the_disk_before_the_next_pair_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    found: list[int] = []

    def labeler(task: str, first: Clip, second: Clip, /) -> Label:
        found.append(len(PreferenceSet.load(path)))
        return Label(0)

    collect_preferences(labeler, STORE, PAIRS[:4], 3, path=path)
    assert found == [0, 1, 2, 3]


def test_the_progress_is_reported() -> None:
    seen: list[tuple[int, int]] = []
    collect_preferences(Script(0, 1), STORE, PAIRS[:2], 3, progress=lambda *numbers: seen.append(numbers))
    assert seen == [(1, 2), (2, 2)]


def test_a_wrong_answer_ends_the_session_and_keeps_the_labels(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    with pytest.raises(ValueError, match="A label must be 0"):
        collect_preferences(lambda *_: Script(7).answers[0], STORE, PAIRS[:2], 3, path=path)
    assert len(PreferenceSet.load(path)) == 0


def test_segments_outside_the_data_are_refused_before_the_first_question(tmp_path: Path) -> None:
    script = Script(0)
    with pytest.raises(ValueError, match="`start` must be"):
        collect_preferences(script, STORE, np.array([[[0, 0], [1, 4]]]), 3, path=tmp_path / "l.jsonl")
    assert script.seen == []
    assert list(tmp_path.iterdir()) == []


def test_labels_of_other_data_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "labels.jsonl"
    collect_preferences(Script(0), STORE, PAIRS[:1], 3, path=path)
    other = counting_store((9, 6))
    with pytest.raises(ValueError, match="with the same fingerprint"):
        collect_preferences(Script(0), other, PAIRS[:1], 3, path=path)


def test_a_resumed_session_draws_new_errors_for_repeated_pairs(tmp_path: Path) -> None:
    pairs = np.repeat(PAIRS[:1], 40, 0)
    path = tmp_path / "labels.jsonl"
    for n in (15, 40):
        resumed = collect_preferences(OracleLabeler(0.5, seed=1), STORE, pairs[:n], 3, path=path)
    undisturbed = collect_preferences(OracleLabeler(0.5, seed=1), STORE, pairs, 3)
    assert (resumed.labels == undisturbed.labels).all()
    assert len(set(resumed.labels.tolist())) == 2


KILLED = """
    import sys
    from comparisons import counting_store
    from rlpriors.preferences import OracleLabeler, collect_preferences, uniform_pairs
    store = counting_store((50, 40))
    pairs = uniform_pairs(store, 2000, 3, seed=1)
    collect_preferences(OracleLabeler(0.3, seed=5), store, pairs, 3, "count", sys.argv[1])
"""


@pytest.mark.filterwarnings("ignore:.*unfinished line")
def test_a_killed_session_loses_nothing(tmp_path: Path) -> None:
    """The session is killed several times while it writes; the labels are those of an undisturbed one."""
    path = tmp_path / "labels.jsonl"
    toys = Path(sys.modules["comparisons"].__file__ or "").parent
    environment = {**os.environ, "PYTHONPATH": str(toys)}
    before = 0
    for _ in range(2):
        process = subprocess.Popen(
            [sys.executable, "-c", textwrap.dedent(KILLED), str(path)], env=environment, cwd=tmp_path
        )
        try:
            wait_until(partial(has_lines, path, before + 20), 60)
        finally:
            process.send_signal(signal.SIGKILL)
        process.wait()
        after = lines(path)
        labels = PreferenceSet.load(path)
        assert len(labels) == after - 1 > before
        before = after
    store = counting_store((50, 40))
    pairs = uniform_pairs(store, len(labels) + 30, 3, seed=1)
    resumed = collect_preferences(OracleLabeler(0.3, seed=5), store, pairs, 3, "count", path)
    undisturbed = collect_preferences(OracleLabeler(0.3, seed=5), store, pairs, 3, "count")
    assert (resumed.clips == undisturbed.clips).all()
    assert (resumed.labels == undisturbed.labels).all()
    assert all(json.loads(line) for line in path.read_text().splitlines())


def has_lines(path: Path, more_than: int) -> bool:
    return lines(path) > more_than


def lines(path: Path) -> int:
    """Number of complete lines."""
    return path.read_bytes().count(b"\n") if path.exists() else 0
