"""Exclusive use of a folder or file by one process.

`lock_folder`      context manager that holds the lock of a folder
`lock_descriptor`  lock of an open file
`LOCK_FILE`        name of the lock's file, which is removed at the end
"""

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from rlpriors.storage.disk import explain_disk_errors

__all__ = ["LOCK_FILE", "lock_descriptor", "lock_folder"]

LOCK_FILE = ".lock"


@contextmanager
def lock_folder(folder: str | Path, program: str) -> Iterator[None]:
    """Hold the lock of `folder`, which is created if it does not exist; the error names `program`.

    The system frees the lock when the process ends, also after a kill: a file that remains blocks nothing.

    Raises:
        ValueError: another process, or another thread, holds the lock.
    """
    folder = Path(folder)
    with explain_disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        descriptor = _acquire(folder, program)
    try:
        yield
    finally:
        (folder / LOCK_FILE).unlink(missing_ok=True)
        os.close(descriptor)


def _acquire(folder: Path, program: str) -> int:
    path = folder / LOCK_FILE
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            lock_descriptor(descriptor)
            # The previous owner removes the file before it frees the lock: a lock of a removed file is none.
            if os.path.samestat(os.fstat(descriptor), path.stat()):
                return descriptor
        except FileNotFoundError:
            pass
        except BlockingIOError as error:
            os.close(descriptor)
            raise ValueError(
                f"`folder` must be used by one {program} at a time. Received {str(folder)!r}, into which "
                "another process writes; wait for it, or choose another folder."
            ) from error
        os.close(descriptor)


if sys.platform == "win32":

    def lock_descriptor(descriptor: int) -> None:
        """Do nothing: Windows refuses to write a file that another process has mapped."""

else:
    import fcntl

    def lock_descriptor(descriptor: int) -> None:
        """Lock an open file, or raise BlockingIOError; some network disks have no locks."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS}:
                raise
