"""Clear errors of full and read-only disks, and reserved blocks.

`explain_disk_errors`  context manager that names the place and the remedy in errors of the disk
`reserve_blocks`       reservation of a file's blocks, so that later writes into its memory map succeed
"""

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["explain_disk_errors", "reserve_blocks"]

FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
UNSUPPORTED = {errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS}


@contextmanager
def explain_disk_errors(path: str | Path) -> Iterator[None]:
    """Name `path` and the remedy in errors of a disk that is full, read-only or forbidden.

    Raises:
        OSError: the body raised one of these errors; it keeps its class and number.
    """
    try:
        yield
    except OSError as error:
        if isinstance(error.__cause__, OSError):  # explained already
            raise
        if error.errno in FULL:
            reason = (
                f"there is no space left for {path} ({_describe_space(Path(path))}, or a quota). Free some "
                "space, or choose a folder on another disk."
            )
        elif error.errno == errno.EROFS:
            reason = f"the disk of {path} is read-only. Choose another folder."
        elif error.errno in {errno.EACCES, errno.EPERM}:
            reason = f"this user may not write {path}. Change its permissions, or choose another folder."
        else:
            raise
        raise OSError(error.errno, reason) from error


def reserve_blocks(path: str | Path) -> None:
    """Reserve the disk blocks of the whole file at `path`, whose size is set already.

    A new file of a given size is sparse: it gets its blocks when it is written.  If the disk is full by then,
    a write into the memory map of the file ends the process with a bus error.  File systems that cannot
    reserve blocks are left as they are.

    Raises:
        OSError: the disk has too little space.
    """
    if not hasattr(os, "posix_fallocate"):
        return
    with explain_disk_errors(path), open(path, "r+b") as file:
        status = os.fstat(file.fileno())
        size, reserved = status.st_size, 512 * status.st_blocks
        if size - reserved > shutil.disk_usage(path).free:  # before a part of the disk is taken
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        try:
            if size:
                os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise


def _describe_space(path: Path) -> str:
    folder = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    return f"{shutil.disk_usage(folder).free / 1e6:.0f} MB free"
