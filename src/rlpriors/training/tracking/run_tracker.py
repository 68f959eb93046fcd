"""All destinations of one run, by their names.

`RunTracker`   destinations of a run: its settings, its parts and its results
`Trackers`     type of a run's tracker, of a name or of several names
`use_tracker`  a run's tracker, or a new one by names, which is closed afterwards
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from rlpriors.training.tracking.csv_files import CsvRun
from rlpriors.training.tracking.names import Tracker, check_trackers
from rlpriors.training.tracking.page import flat, is_number, main_settings, plain_settings
from rlpriors.training.tracking.services import TrackioRun, WandbRun
from rlpriors.training.tracking.tensorboard_files import TensorBoardRun
from rlpriors.training.tracking.writer import RunWriter, Writers

__all__ = ["RunTracker", "Trackers", "use_tracker"]


@runtime_checkable
class _Destination(Protocol):
    def overview(self, settings: Mapping[str, Any], command: str) -> None: ...

    def results(
        self, settings: Mapping[str, Any], results: Mapping[str, Any], metrics: Sequence[str]
    ) -> None: ...

    def writer(self, name: str, first: int = 0) -> RunWriter: ...

    def close(self) -> None: ...


DESTINATIONS: dict[str, Any] = {
    "tensorboard": TensorBoardRun,
    "csv": CsvRun,
    "wandb": WandbRun,
    "trackio": TrackioRun,
}


class RunTracker:
    """Destinations of a run: its settings, its parts and its results.

    The folder's name is the name of the run.  A folder that is opened again continues the run of a service.

    Args:
        folder: folder of the run.
        trackers: name of a destination, or several names.

    Raises:
        ValueError: a name is unknown, or no name is given.
        ImportError: the library of a destination is not installed.

    Example:
        >>> from tempfile import mkdtemp
        >>> folder = Path(mkdtemp())
        >>> tracker = RunTracker(folder, ("tensorboard", "csv"))
        >>> writer = tracker.writer("prior")
        >>> writer.scalars({"prior/loss": 0.5}, step=10)
        >>> writer.close()
        >>> tracker.close()
        >>> (folder / "csv" / "prior" / "scalars.csv").read_text().split()
        ['step,tag,value', '10,prior/loss,0.5']
    """

    def __init__(self, folder: Path, trackers: Tracker | Sequence[Tracker] = "tensorboard") -> None:
        names = check_trackers(trackers)
        self.folder = folder
        self.destinations: list[_Destination] = [DESTINATIONS[name](folder) for name in names]

    def overview(self, settings: Any, command: str) -> None:
        """Write the settings, and the layout of the main charts.

        Args:
            settings: dataclass of settings.
            command: name of the command, a key of `rlpriors.training.tracking.page.CHARTS`.
        """
        for destination in self.destinations:
            destination.overview(plain_settings(settings), command)

    def results(
        self, settings: Any, results: Mapping[str, Any], metrics: Sequence[str] | None = None
    ) -> None:
        """Write the results as a text, and the main numbers next to the settings that are not the defaults.

        Args:
            settings: dataclass of settings.
            results: results by name, nested or flat.
            metrics: names of the main numbers, nested ones joined by dots; names that `results` lacks are
                left out.  None for all numbers.
        """
        values = flat(results)
        numbers = [name for name, value in values.items() if is_number(value)]
        if metrics is not None:
            numbers = [name for name in metrics if name in numbers]
        for destination in self.destinations:
            destination.results(main_settings(settings), values, numbers)

    def writer(self, name: str, first: int = 0) -> RunWriter:
        """Return the writer of a part of the run, which the caller closes.

        Args:
            name: name of the part, such as "prior".
            first: first step; what an earlier writer has written from this step on is replaced.
        """
        return Writers([destination.writer(name, first) for destination in self.destinations])

    def close(self) -> None:
        """End the run of a service; a run that is not closed counts as stopped."""
        for destination in self.destinations:
            destination.close()


Trackers = RunTracker | Tracker | Sequence[Tracker]
"""A run's tracker, the name of a destination, or several names."""


@contextmanager
def use_tracker(tracker: Trackers, folder: Path) -> Iterator[RunTracker]:
    """Yield the tracker, or one of `folder` by its names, which is closed afterwards."""
    if isinstance(tracker, RunTracker):
        yield tracker
        return
    opened = RunTracker(folder, tracker)
    try:
        yield opened
    finally:
        opened.close()
