"""Files and folders that are written under a temporary name and then renamed.

`write_atomically`        write a file, which a reader finds complete or not at all
`write_text_atomically`   the same with a text
`temporary_name`          name of a temporary file or folder of this process
`remove_stale`            removal of temporary files and folders that killed processes left
`is_temporary`            True for names of `temporary_name`
"""

import os
import platform
import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from rlpriors.storage.disk import explain_disk_errors

__all__ = ["is_temporary", "remove_stale", "temporary_name", "write_atomically", "write_text_atomically"]

STALE_SECONDS = 24 * 3600
"""Age after which a temporary file of another machine counts as left behind."""


def write_atomically(path: str | Path, write: Callable[[Path], None]) -> None:
    """Call `write` with a temporary path next to `path`, then rename the file to `path`.

    An error in `write` leaves an existing file at `path` unchanged.  Temporary files that killed processes
    left of the same file are removed.

    Raises:
        OSError: the disk is full or read-only; the message names the file.
    """
    path = Path(path)
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        remove_stale(path)
        temporary = path.with_name(temporary_name(path.name))
        try:
            write(temporary)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)


def write_text_atomically(path: str | Path, text: str) -> None:
    """Write `text` in UTF-8 to the file at `path`, as `write_atomically` does."""

    def write(temporary: Path) -> None:
        temporary.write_bytes(text.encode())

    write_atomically(path, write)


def temporary_name(name: str) -> str:
    """Return a new name for the temporary of `name`, with the process and the machine that own it."""
    return f".{name}.{os.getpid()}-{platform.node()}-{uuid4().hex[:8]}.tmp"


def is_temporary(name: str) -> bool:
    """Return True if a file or folder of this name is a temporary.

    Example:
        >>> is_temporary(temporary_name("progress.json")), is_temporary("progress.json")
        (True, False)
    """
    return name.startswith(".") and name.endswith(".tmp")


def remove_stale(path: str | Path) -> None:
    """Remove temporaries of `path` whose process has ended.

    Those of other machines, which may share the disk, are removed a day after their last change.
    """
    path = Path(path)
    if not path.parent.is_dir():
        return
    for temporary in path.parent.iterdir():
        if is_temporary(temporary.name) and temporary.name.startswith(f".{path.name}."):
            _remove_if_stale(temporary, temporary.name.removeprefix(f".{path.name}."))


def _remove_if_stale(temporary: Path, owner: str) -> None:
    match = re.fullmatch(r"(\d+)-(.*)-[0-9a-f]{8}\.tmp", owner)
    try:
        if match and match[2] == platform.node():
            stale = not _is_running(int(match[1]))
        else:
            stale = time.time() - temporary.lstat().st_mtime > STALE_SECONDS
        if stale and temporary.is_dir() and not temporary.is_symlink():
            shutil.rmtree(temporary)
        elif stale:
            temporary.unlink()
    except OSError:
        return  # another process removed it, or this user may not: it does no harm


def _is_running(process: int) -> bool:
    if os.name == "nt":  # there `os.kill` would end the process
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:  # a process of another user
        return True
    return True
