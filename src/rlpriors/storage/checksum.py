"""Checksums at the end of files.

`append_checksum`      append the SHA-256 of a file to it
`has_valid_checksum`   check that a file ends with the SHA-256 of all bytes before

Readers of zip archives, such as `torch.load`, skip bytes after the archive.
"""

import os
from hashlib import file_digest, sha256
from pathlib import Path

__all__ = ["append_checksum", "has_valid_checksum"]

MARK = b"\nsha256 "
SIZE = len(MARK) + 64
CHUNK = 2**20


def append_checksum(path: str | Path) -> None:
    """Append the checksum of the file at `path` to it."""
    with open(path, "r+b") as file:
        digest = file_digest(file, "sha256").hexdigest()
        file.seek(0, os.SEEK_END)
        file.write(MARK + digest.encode())


def has_valid_checksum(path: str | Path) -> bool:
    """Return True if the file at `path` ends with the checksum of all bytes before.

    Example:
        >>> from tempfile import mkdtemp
        >>> path = Path(mkdtemp()) / "numbers"
        >>> _ = path.write_bytes(b"123")
        >>> append_checksum(path)
        >>> has_valid_checksum(path)
        True
        >>> _ = path.write_bytes(path.read_bytes().replace(b"123", b"023"))
        >>> has_valid_checksum(path)
        False
    """
    digest, left = sha256(), Path(path).stat().st_size - SIZE
    if left < 0:
        return False
    with open(path, "rb") as file:
        while left > 0:
            chunk = file.read(min(CHUNK, left))
            if not chunk:
                return False
            digest.update(chunk)
            left -= len(chunk)
        return file.read() == MARK + digest.hexdigest().encode()
