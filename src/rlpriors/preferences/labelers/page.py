"""Answers of a person on a local page.

`PageLabeler`  questions on a page with two clips next to each other
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from rlpriors.preferences.clips import Clip
from rlpriors.preferences.labelers.base import StopLabeling, UndoLabel
from rlpriors.preferences.labelers.server import PageServer, Question
from rlpriors.preferences.labels import Label
from rlpriors.preferences.pictures import image_file

__all__ = ["PageLabeler"]

VALUES = {"1": 0, "2": 1, "0": -1}


class PageLabeler:
    """Labeler that asks a person on a web page of this machine, `url`, with keys, buttons and undo.

    The server listens on 127.0.0.1 only.  Its address contains a random token, so that other users of the
    machine cannot answer.  The page loads nothing from elsewhere.  It is a context manager, which ends the
    server.

    Args:
        paint: function from a segment to its pictures, such as a `ClipPainter`.
        port: port of the server; 0 for a free one.

    Raises:
        ValueError: `port` is out of its bounds.
        OSError: the port is in use.

    Example:
        >>> with PageLabeler(lambda clip: clip.frames) as labeler:
        ...     print(labeler.url[:17])
        http://127.0.0.1:
    """

    def __init__(self, paint: Callable[[Clip], np.ndarray], port: int = 0) -> None:
        if not 0 <= port <= 65535:
            raise ValueError(f"`port` must be in 0..65535. Received {port}.")
        self.paint = paint
        self._server = PageServer(port)
        self.url = self._server.url
        """Address of the page."""

    def __enter__(self) -> "PageLabeler":
        """Return the labeler."""
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: Any) -> None:
        """End the server."""
        self.close(complete=kind is None)

    def show_progress(self, done: int, total: int) -> None:
        """Set the progress that the page shows with the next question, and at the end."""
        self._server.done, self._server.total = done, total

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label:
        """Return the answer of the person, or raise the request to undo or to stop."""
        pictures = [image_file(self.paint(clip)) for clip in (first, second)]
        key = self._server.ask(Question(task, pictures[0], pictures[1]))
        if key == "u":
            raise UndoLabel
        if key == "q":
            raise StopLabeling
        return Label(VALUES[key])

    def close(self, *, complete: bool = True) -> None:
        """End the server; an open page shows that the session is complete, or that it was stopped."""
        self._server.close("The session has ended." if complete else "The session was stopped.")
