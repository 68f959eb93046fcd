"""Arguments of a run's folder, shared by the commands.

`FolderArgs`  the folder of a run
`RunArgs`     the folder of a run, and resuming
"""

from dataclasses import dataclass
from pathlib import Path

from rlpriors.settings import check_fields

__all__ = ["FolderArgs", "RunArgs"]


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
