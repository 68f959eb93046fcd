"""Files of labels: a header, then one line of JSON for each label.

`LabelHeader`   task, length of the segments, and fingerprint of the data set
`LabelRow`      one label
`LabelList`     labels in memory
`LabelFile`     the same labels on the disk, appended one by one
`read_labels`   header and labels of a file
`write_labels`  atomic write of a whole file

The first line is {"format": "rlpriors preferences", "version": 1, "task": ..., "length": ..., "fingerprint":
...}.  Each further line is {"first": [episode, start], "second": [episode, start], "label": 0, "confidence":
1.0}.
"""

import json
import os
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from rlpriors.preferences.labels import check_label
from rlpriors.storage.atomic import write_text_atomically
from rlpriors.storage.disk import explain_disk_errors
from rlpriors.storage.lock import lock_descriptor

__all__ = ["LabelFile", "LabelHeader", "LabelList", "LabelRow", "Pair", "read_labels", "write_labels"]

FORMAT = "rlpriors preferences"
VERSION = 1

Pair = tuple[tuple[int, int], tuple[int, int]]
"""(episode, start) of the first and of the second segment."""


class LabelHeader(NamedTuple):
    """First line of a file of labels."""

    task: str
    """Task in words."""
    length: int
    """Number of steps of each segment."""
    fingerprint: str
    """`store_fingerprint` of the data set."""


class LabelRow(NamedTuple):
    """One label of a file."""

    clips: Pair
    """(episode, start) of the first and of the second segment."""
    label: int
    """0 if the first is better, 1 if the second is, -1 if undecided."""
    confidence: float
    """Confidence of the label, in (0, 1]."""


class LabelList:
    """Labels in memory, in their order.

    Example:
        >>> labels = LabelList()
        >>> labels.append(LabelRow(((0, 0), (0, 5)), 1, 1.0))
        >>> labels.undo().label, labels.rows
        (1, [])
    """

    def __init__(self) -> None:
        self.rows: list[LabelRow] = []
        """Labels, in their order."""

    def append(self, row: LabelRow) -> None:
        """Add one label at the end."""
        self.rows.append(row)

    def undo(self) -> LabelRow:
        """Remove the last label and return it.

        Raises:
            ValueError: there is no label.
        """
        if not self.rows:
            raise ValueError("There must be a label to undo. Received none.")
        return self.rows.pop()


class LabelFile(LabelList):
    """File to which labels are appended; each is on the disk when `append` returns.

    A new file begins with `header`.  An existing file must have an equal header, and is continued: a last
    line that a killed process left unfinished is removed with a warning.  One process at a time holds the
    file.  It is a context manager.

    Raises:
        ValueError: the file holds labels of another task, length or data set, or something else, or another
            process holds it.
        OSError: the disk is full or read-only.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "labels.jsonl"
        >>> with LabelFile(path, LabelHeader("run", length=5, fingerprint="1234")) as file:
        ...     file.append(LabelRow(((0, 0), (0, 5)), 1, 1.0))
        >>> print(path.read_text(), end="")
        {"format": "rlpriors preferences", "version": 1, "task": "run", "length": 5, "fingerprint": "1234"}
        {"first": [0, 0], "second": [0, 5], "label": 1, "confidence": 1.0}
    """

    def __init__(self, path: str | Path, header: LabelHeader) -> None:
        super().__init__()
        self.path = Path(path)
        with explain_disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.fdopen(os.open(self.path, os.O_RDWR | os.O_CREAT, 0o666), "r+b")
        try:
            self._acquire()
            content = self._file.read()
            if _header_line(header).startswith(content):  # empty, or killed while the first line was written
                content = _header_line(header)
                with explain_disk_errors(self.path):
                    self._file.seek(0)
                    self._file.write(content)
            found, self.rows = _parse(self.path, content)
            _check_same(self.path, found, header)
            self._ends = _line_ends(content)
            with explain_disk_errors(self.path):
                self._cut(self._ends[-1])
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "LabelFile":
        """Return the open file."""
        return self

    def __exit__(self, *_: Any) -> None:
        """Close the file."""
        self._file.close()

    def append(self, row: LabelRow) -> None:
        """Write one label to the disk."""
        with explain_disk_errors(self.path):
            self._file.write(_line(row))
            self._sync()
        self._ends.append(self._file.tell())
        super().append(row)

    def undo(self) -> LabelRow:
        """Remove the last label from the disk and return it.

        Raises:
            ValueError: the file has no label.
        """
        row = super().undo()
        self._ends.pop()
        with explain_disk_errors(self.path):
            self._cut(self._ends[-1])
        return row

    def _acquire(self) -> None:
        try:
            lock_descriptor(self._file.fileno())
        except BlockingIOError as error:
            raise ValueError(
                f"`path` must be used by one session at a time. Received {self.path}, into which another "
                "process writes; end it, or choose another file."
            ) from error

    def _cut(self, size: int) -> None:
        self._file.truncate(size)
        self._file.seek(size)
        self._sync()

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


def read_labels(path: str | Path) -> tuple[LabelHeader, list[LabelRow]]:
    """Return the header and the labels of a file.

    A last line without its end is ignored with a warning: a killed process left it.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, or holds something else.
    """
    return _parse(Path(path), Path(path).read_bytes())


def write_labels(path: str | Path, header: LabelHeader, rows: Iterable[LabelRow]) -> Path:
    """Write a whole file of labels atomically and return its path."""
    content = _header_line(header) + b"".join(map(_line, rows))
    write_text_atomically(path, content.decode())
    return Path(path)


def _header_line(header: LabelHeader) -> bytes:
    return json.dumps({"format": FORMAT, "version": VERSION, **header._asdict()}).encode() + b"\n"


def _line(row: LabelRow) -> bytes:
    (first, second), label, confidence = row
    parts = {"first": [*first], "second": [*second], "label": label, "confidence": confidence}
    return json.dumps(parts).encode() + b"\n"


def _line_ends(content: bytes) -> list[int]:
    """Return the position behind each complete line."""
    return [position + 1 for position, byte in enumerate(content) if byte == ord("\n")]


def _parse(path: Path, content: bytes) -> tuple[LabelHeader, list[LabelRow]]:
    complete, newline, rest = content.rpartition(b"\n")
    lines = complete.split(b"\n") if newline else []
    if not lines:
        raise ValueError(f"`path` must be a file of labels. Received {path}, which has no complete line.")
    header = _read_header(path, lines[0])
    if rest:
        warnings.warn(
            f"{path} ends in an unfinished line, which a killed process left; it is ignored.", stacklevel=4
        )
    return header, [_read_row(path, number, line) for number, line in enumerate(lines[1:], 2)]


def _read_header(path: Path, line: bytes) -> LabelHeader:
    try:
        parts = json.loads(line)
        if parts["format"] != FORMAT:
            raise ValueError(f"its format is {parts['format']!r}")
        if parts["version"] != VERSION:
            raise ValueError(f"its version is {parts['version']!r}; use a newer version of rlpriors")
        header = LabelHeader(parts["task"], parts["length"], parts["fingerprint"])
        if not isinstance(header.task, str) or not isinstance(header.fingerprint, str):
            raise ValueError("its task and its fingerprint must be texts")
        if type(header.length) is not int or header.length < 1:
            raise ValueError(f"its length is {header.length!r}")
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f'`path` must be a file of labels of the format "{FORMAT}", version {VERSION}. Received {path}, '
            f"whose first line is no such header ({error})."
        ) from error
    return header


def _read_row(path: Path, number: int, line: bytes) -> LabelRow:
    try:
        parts = json.loads(line)
        label = check_label((parts["label"], parts["confidence"]))
        clips = (_read_clip(parts["first"]), _read_clip(parts["second"]))
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`path` must be a file of labels. Received {path}, whose line {number} is damaged ({error}); "
            "repair or remove this line."
        ) from error
    return LabelRow(clips, *label)


def _read_clip(value: Any) -> tuple[int, int]:
    valid = isinstance(value, list) and len(value) == 2 and all(type(n) is int and n >= 0 for n in value)
    if not valid:
        raise ValueError(f"a segment must be [episode, start]; it is {value!r}")
    return value[0], value[1]


def _check_same(path: Path, found: LabelHeader, wanted: LabelHeader) -> None:
    for name, old, new in zip(LabelHeader._fields, found, wanted, strict=True):
        if old != new:
            what = {"fingerprint": "data with the fingerprint"}.get(name, f"`{name}`")
            raise ValueError(
                f"`path` must be a new file, or hold labels with the same {name}. Received {path}, which has "
                f"{old!r}, and {what} {new!r}; use the same, or write to another file."
            )
