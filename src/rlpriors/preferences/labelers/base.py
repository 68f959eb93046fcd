"""Protocol of labelers.

`Label`               answer to one comparison
`PreferenceLabeler`   protocol of functions from two segments to an answer
`InteractiveLabeler`  protocol of labelers that show their progress
`CountingLabeler`     protocol of labelers whose answers depend on those before
`UndoLabel`           request of a labeler to repeat the comparison before
`StopLabeling`        request of a labeler to end the session
"""

from typing import Protocol, runtime_checkable

from rlpriors.preferences.clips import Clip
from rlpriors.preferences.labels import Label

__all__ = ["CountingLabeler", "InteractiveLabeler", "Label", "PreferenceLabeler", "StopLabeling", "UndoLabel"]


@runtime_checkable
class PreferenceLabeler(Protocol):
    """Function from a task text and two segments to an answer: `labeler(task, first, second)`.

    A labeler of people may raise `UndoLabel` or `StopLabeling` instead of an answer.
    """

    def __call__(self, task: str, first: Clip, second: Clip, /) -> Label: ...


@runtime_checkable
class InteractiveLabeler(Protocol):
    """Labeler that shows its progress to a person."""

    def show_progress(self, done: int, total: int) -> None:
        """Show the number of comparisons that have answers, and the number of all, also at the end."""
        ...


@runtime_checkable
class CountingLabeler(Protocol):
    """Labeler whose answer to a repeated pair depends on how often it was asked."""

    def skip(self, first: Clip, second: Clip, /) -> None:
        """Count a pair that a session before has asked."""
        ...


class UndoLabel(Exception):
    """Request to drop the last answer and to repeat its comparison."""


class StopLabeling(Exception):
    """Request to end the session; the answers so far are kept."""
