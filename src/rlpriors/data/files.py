"""Named arrays in one file that can be trusted.

`write_arrays`  as safetensors, the old file or the new one and never half of one
`read_arrays`   what `write_arrays` wrote, and nothing else
"""

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], kind: str) -> Path:
    """Write `arrays` to `path`, with `kind` in the header to tell what they are; folders are made."""
    path = Path(path)
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"kind": kind})
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(data)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def read_arrays(path: str | Path, kind: str) -> dict[str, np.ndarray]:
    """The arrays at `path`; nothing is unpickled.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: it is damaged, was not written as a `kind`, or holds numbers that numpy has not.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give one that holds an {kind}.")
    try:
        with safe_open(path, framework="numpy") as file:
            found = (file.metadata() or {}).get("kind")
            arrays = {name: file.get_tensor(name) for name in file.keys()} if found == kind else {}  # noqa: SIM118
    except TypeError as error:  # of get_tensor, for bfloat16 and the float8 kinds
        raise ValueError(
            f"`path` must hold arrays of types that numpy has. Received {path}: {error}; write it again as "
            "float32 or float16."
        ) from error
    except SafetensorError as error:
        raise ValueError(
            f"`path` must be a whole safetensors file. Received {path}, which is damaged ({error}). "
            "Write or copy it again."
        ) from error
    if found != kind:
        raise ValueError(
            f"`path` must hold an {kind}. Received {path}, which says it holds {found!r}. "
            "Give a file that was written by its `save`."
        )
    return arrays
