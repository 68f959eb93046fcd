"""Answers of a person in a terminal.

`TerminalLabeler`  questions as lines of text, with pictures as files
"""

import sys
from collections.abc import Callable
from io import TextIOBase
from pathlib import Path

import numpy as np

from rlpriors.preferences.clips import Clip
from rlpriors.preferences.labelers.base import StopLabeling, UndoLabel
from rlpriors.preferences.labels import Label
from rlpriors.preferences.pictures import image_file
from rlpriors.storage.atomic import write_atomically

__all__ = ["TerminalLabeler"]

KEYS = {"1": 0, "2": 1, "0": -1}
QUESTION = "1 first, 2 second, 0 neither, u undo, q stop: "


class TerminalLabeler:
    """Labeler that asks a person in a terminal: one line with 1, 2, 0, u (undo) or q (stop) for each pair.

    Each segment is printed as the numbers of its first and last observation.  Pictures are written to the
    files `first` and `second` in `folder`, as .gif or .png: an image viewer that reloads files shows each
    new pair.

    Args:
        paint: function from a segment to its pictures, such as a `ClipPainter`.
        folder: folder of the two files; None writes none.
        stdin: stream of the answers; the terminal by default.  Its end stops the session.
        stdout: stream of the questions; the terminal by default.

    Example:
        >>> from io import StringIO
        >>> clip = Clip(np.zeros((4, 2)), np.zeros((3, 1)), np.zeros(3), np.zeros(3, bool))
        >>> labeler = TerminalLabeler(stdin=StringIO("2"), stdout=StringIO())
        >>> labeler("run", clip, clip)
        Label(value=1, confidence=1.0)
    """

    def __init__(
        self,
        paint: Callable[[Clip], np.ndarray] | None = None,
        folder: str | Path | None = None,
        stdin: TextIOBase | None = None,
        stdout: TextIOBase | None = None,
    ) -> None:
        if (paint is None) != (folder is None):
            raise ValueError(
                "`paint` and `folder` must be given together, or neither. Received "
                f"{'no paint' if paint is None else 'no folder'}."
            )
        self.paint = paint
        self.folder = None if folder is None else Path(folder)
        self._stdin, self._stdout = stdin, stdout
        self._place = ""

    def show_progress(self, done: int, total: int) -> None:
        """Number the next comparison."""
        self._place = f"{done + 1} of {total}: "

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        """Return the answer of the person, or raise the request to undo or to stop."""
        self._write(f"\n{self._place}{task or 'which one is better?'}\n")
        for name, clip in (("first", first), ("second", second)):
            self._write(f"  {name:7}{self._describe(name, clip)}\n")
        while True:
            self._write(QUESTION)
            line = (self._stdin or sys.stdin).readline()
            key = line.strip().lower()
            if key == "q" or not line:
                raise StopLabeling
            if key == "u":
                raise UndoLabel
            if key in KEYS:
                return Label(KEYS[key])

    def _describe(self, name: str, clip: Clip) -> str:
        text = f"{len(clip.act)} steps"
        if clip.frames is None:
            start, end = (_numbers(obs) for obs in clip.obs[[0, -1]].reshape(2, -1))
            text += f", from {start} to {end}"
        if self.paint is None or self.folder is None:
            return text
        content, kind = image_file(self.paint(clip))
        path = self.folder / f"{name}.{kind}"
        write_atomically(path, lambda temporary: _store(temporary, content))
        return f"{text}, {path}"

    def _write(self, text: str) -> None:
        stream = self._stdout or sys.stdout
        stream.write(text)
        stream.flush()


def _numbers(obs: np.ndarray) -> str:
    shown = [f"{value:.3g}" for value in obs[:6]]
    return f"[{', '.join(shown)}{', ...' if obs.size > 6 else ''}]"


def _store(path: Path, content: bytes) -> None:
    path.write_bytes(content)
