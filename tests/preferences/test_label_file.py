"""Files of labels: torn lines, undo, other data, two sessions at once."""

import json
import warnings
from pathlib import Path

import pytest

from rlpriors.preferences.label_file import LabelFile, LabelHeader, LabelRow, read_labels, write_labels

HEADER = LabelHeader("run", 5, "ab12")
ROWS = [LabelRow(((0, 3), (1, 0)), 0, 1.0), LabelRow(((2, 1), (0, 0)), -1, 0.25)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "labels.jsonl"


def fill(path: Path) -> None:
    with LabelFile(path, HEADER) as file:
        for row in ROWS:
            file.append(row)


def test_the_lines_by_hand(path: Path) -> None:
    fill(path)
    header, first, second = map(json.loads, path.read_text().splitlines())
    assert header == {
        "format": "rlpriors preferences",
        "version": 1,
        "task": "run",
        "length": 5,
        "fingerprint": "ab12",
    }
    assert first == {"first": [0, 3], "second": [1, 0], "label": 0, "confidence": 1.0}
    assert second["label"] == -1
    assert read_labels(path) == (HEADER, ROWS)


def test_a_file_is_continued(path: Path) -> None:
    fill(path)
    with LabelFile(path, HEADER) as file:
        assert file.rows == ROWS
        file.append(ROWS[0])
    assert read_labels(path)[1] == [*ROWS, ROWS[0]]


def test_each_label_is_in_the_file_when_append_returns(path: Path) -> None:
    with LabelFile(path, HEADER) as file:
        for number, row in enumerate(ROWS, 1):
            file.append(row)
            assert len(read_labels(path)[1]) == number


def test_undo_removes_the_last_label(path: Path) -> None:
    with LabelFile(path, HEADER) as file:
        for row in ROWS:
            file.append(row)
        assert file.undo() == ROWS[1]
        assert read_labels(path)[1] == ROWS[:1]
        file.append(ROWS[0])
        assert read_labels(path)[1] == [ROWS[0], ROWS[0]]
        file.undo(), file.undo()
        with pytest.raises(ValueError, match="There must be a label to undo"):
            file.undo()
    assert read_labels(path)[1] == []


@pytest.mark.filterwarnings("ignore:.*unfinished line")
def test_every_torn_end_loses_only_the_torn_line(path: Path) -> None:
    """A kill can cut the file at any byte."""
    fill(path)
    content = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == 10]
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        complete = sum(end <= size for end in ends)
        with LabelFile(path, HEADER) as file:
            assert file.rows == ROWS[: max(complete - 1, 0)]
            file.append(ROWS[1])
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # the file is whole again
            assert read_labels(path) == (HEADER, [*ROWS[: max(complete - 1, 0)], ROWS[1]])


def test_a_torn_line_is_reported(path: Path) -> None:
    fill(path)
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.warns(UserWarning, match="ends in an unfinished line"):
        assert read_labels(path)[1] == ROWS[:1]


@pytest.mark.parametrize(
    ("header", "message"),
    [
        (HEADER._replace(task="jump"), "with the same task.* has 'run', and `task` 'jump'"),
        (HEADER._replace(length=6), "with the same length.* has 5, and `length` 6"),
        (HEADER._replace(fingerprint="cd"), "has 'ab12', and data with the fingerprint 'cd'"),
    ],
)
def test_labels_of_something_else_are_refused(path: Path, header: LabelHeader, message: str) -> None:
    fill(path)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=message):
        LabelFile(path, header)
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"first": [0, 1], "second": [0, 2], "label": 2, "confidence": 1.0}', "line 2 is damaged .A label"),
        ('{"first": [0, 1], "second": [0, 2], "label": 1, "confidence": 0}', "line 2 is damaged .`confi"),
        ('{"first": [0], "second": [0, 2], "label": 1, "confidence": 1}', "a segment must be"),
        ('{"first": [0, -1], "second": [0, 2], "label": 1, "confidence": 1}', "a segment must be"),
        ('{"first": [0, 1], "label": 1, "confidence": 1}', "line 2 is damaged"),
        ("[]", "line 2 is damaged"),
        ("", "line 2 is damaged"),
        ("garbage", "line 2 is damaged"),
    ],
)
def test_damaged_lines_are_refused(path: Path, line: str, message: str) -> None:
    write_labels(path, HEADER, [])
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(ValueError, match=message):
        read_labels(path)


@pytest.mark.parametrize(
    "first",
    [
        '{"format": "other", "version": 1}',
        '{"format": "rlpriors preferences", "version": 2, "task": "", "length": 5, "fingerprint": "a"}',
        '{"format": "rlpriors preferences", "version": 1, "task": "", "length": 0, "fingerprint": "a"}',
        '{"format": "rlpriors preferences", "version": 1, "task": 3, "length": 5, "fingerprint": "a"}',
        "[1]",
        "obs,act",
    ],
)
def test_other_files_are_refused_and_kept(path: Path, first: str) -> None:
    path.parent.mkdir()
    path.write_text(first + "\n")
    with pytest.raises(ValueError, match="`path` must be a file of labels of the format"):
        read_labels(path)
    with pytest.raises(ValueError, match="`path` must be a file of labels"):
        LabelFile(path, HEADER)
    assert path.read_text() == first + "\n"


def test_two_sessions_do_not_share_a_file(path: Path) -> None:
    with LabelFile(path, HEADER), pytest.raises(ValueError, match="by one session at a time"):
        LabelFile(path, HEADER)
    fill(path)  # free again
