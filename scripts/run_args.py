"""Arguments of a run's folder, shared by the commands.

`FolderArgs`  the folder of a run
`RunArgs`     the folder of a run, and resuming
`TrackedArgs` the folder of a run, resuming, and the destinations of its curves
`PolicyArgs`  the same, with films of a policy
"""

from dataclasses import dataclass
from pathlib import Path

from rlpriors.settings import check_fields
from rlpriors.training.tracking.names import Tracker, check_trackers

__all__ = ["FolderArgs", "PolicyArgs", "RunArgs", "TrackedArgs"]


@dataclass(frozen=True)
class FolderArgs:
    """Folder of a run."""

    folder: Path | None = None
    """Folder of the run's files; by default a new folder named by the settings, as described above.
    An existing folder is never overwritten."""

    def __post_init__(self) -> None:
        check_fields(self)


@dataclass(frozen=True)
class RunArgs(FolderArgs):
    """Folder of a run, and resuming."""

    resume: bool = False
    """Resume the latest run with these settings from its last checkpoint instead of starting a new one."""


@dataclass(frozen=True)
class TrackedArgs(RunArgs):
    """Folder of a run, resuming, and the destinations of its curves."""

    tracker: tuple[Tracker, ...] = ("tensorboard",)
    """Destinations of curves, texts and pictures, one or several: TensorBoard, csv files, Weights & Biases
    (wandb), Trackio.  A resumed run continues those of the run."""

    def __post_init__(self) -> None:
        super().__post_init__()
        check_trackers(self.tracker)


@dataclass(frozen=True)
class PolicyArgs(TrackedArgs):
    """Folder of a run, resuming, the destinations of its curves, and films of a policy."""

    films: int = 4
    """Number of filmed episodes of the policy over its training, as animated GIFs; 0 for none.  Environments
    that do not render have none."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.films < 0:
            raise ValueError(f"`films` must be at least 0. Received {self.films}.")
