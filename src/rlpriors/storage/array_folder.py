"""Folders with memory-mapped arrays and an index, which others may have written.

`map_array`      array of a .npy file, memory-mapped
`write_array`    array to a .npy file
`array_names`    names of arrays in an index: plain names, each once
`frame_counts`   numbers of frames of the episodes in an index
`check_inside`   relative path that stays inside its folder
"""

from pathlib import Path, PurePosixPath, PureWindowsPath
from tokenize import TokenError
from typing import Any

import numpy as np

from rlpriors.storage.disk import explain_disk_errors

__all__ = ["array_names", "check_inside", "frame_counts", "map_array", "write_array"]


def map_array(folder: Path, name: str) -> np.memmap[Any, Any]:
    """Return the array of `<folder>/<name>.npy`, memory-mapped and read-only.

    Raises:
        ValueError: the file is no array, or holds objects.
        OSError: the file is missing or cannot be mapped.
    """
    try:
        return np.lib.format.open_memmap(folder / f"{name}.npy", mode="r")
    except (TokenError, SyntaxError) as error:  # numpy parses the header as a literal
        raise ValueError(f"the header of {name}.npy cannot be read ({error})") from error


def write_array(path: Path, array: np.ndarray) -> None:
    """Write `array` to a .npy file, byte for byte as `numpy.save` does.

    Raises:
        OSError: the disk is full or read-only; `numpy.save` raises one without a reason.
    """
    array = np.ascontiguousarray(array)
    with explain_disk_errors(path), open(path, "wb") as file:
        header = np.lib.format.header_data_from_array_1_0(array)
        np.lib.format.write_array_header_1_0(file, header)
        file.write(array.data)


def array_names(names: object, reserved: str) -> list[str]:
    """Return the names of further arrays in an index.

    Names are identifiers, so that each is a file in the folder of the index.

    Raises:
        ValueError: `names` is no list of different identifiers, or contains the `reserved` name.

    Example:
        >>> array_names(["../act"], reserved="frames")
        Traceback (most recent call last):
        ...
        ValueError: names of arrays must be different identifiers other than 'frames', not ['../act']
    """
    plain = isinstance(names, list) and all(isinstance(name, str) and name.isidentifier() for name in names)
    if not isinstance(names, list) or not plain or len({reserved, *names}) != len(names) + 1:
        raise ValueError(
            f"names of arrays must be different identifiers other than {reserved!r}, not {str(names)[:200]}"
        )
    return names


def frame_counts(lengths: object, n_frames: int) -> np.ndarray:
    """Return the numbers of frames of the episodes in an index, as int64.

    Raises:
        ValueError: `lengths` is no list of positive integers with the sum `n_frames`.

    Example:
        >>> frame_counts([3, 2], n_frames=5)
        array([3, 2])
    """
    plain = isinstance(lengths, list) and all(type(length) is int and length > 0 for length in lengths)
    if not isinstance(lengths, list) or not plain or not lengths:
        raise ValueError(f"lengths of episodes must be positive integers, not {str(lengths)[:200]}")
    if sum(lengths) != n_frames:
        raise ValueError(f"there are {n_frames} rows for {sum(lengths)} frames")
    return np.array(lengths, np.int64)


def check_inside(name: str, path: str) -> str:
    """Return `path`, a relative path that stays inside its folder on every system.

    Raises:
        ValueError: it is absolute or contains ".."; the message calls it `name`.
    """
    parts = {*PurePosixPath(path).parts, *PureWindowsPath(path).parts}
    if not path or ".." in parts or PurePosixPath(path).root or PureWindowsPath(path).anchor:
        raise ValueError(f"{name} must be a relative path inside its folder, not {path!r}")
    return path
