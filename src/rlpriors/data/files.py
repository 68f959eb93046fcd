"""Named arrays in one safetensors file.

`write_arrays`  atomic write of the arrays
`read_arrays`   arrays of a file that `write_arrays` wrote
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from rlpriors.storage.atomic import write_atomically

__all__ = ["read_arrays", "write_arrays"]


def write_arrays(path: str | Path, arrays: Mapping[str, np.ndarray], kind: str) -> Path:
    """Write `arrays` atomically to `path`, with `kind` in the header, and create missing folders."""
    path = Path(path)
    data = save({name: np.ascontiguousarray(array) for name, array in arrays.items()}, {"kind": kind})

    def write(temporary: Path) -> None:
        temporary.write_bytes(data)

    write_atomically(path, write)
    return path


def read_arrays(path: str | Path, kind: str) -> dict[str, np.ndarray]:
    """Return the arrays of the file at `path`; nothing is unpickled.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is damaged, is not of this `kind`, or has a number type that numpy lacks.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}. Give one that holds an {kind}.")
    try:
        with safe_open(path, framework="numpy") as file:
            saved_kind = (file.metadata() or {}).get("kind")
            names = list(file.keys()) if saved_kind == kind else []
            arrays = {name: file.get_tensor(name) for name in names}
    except TypeError as error:  # of get_tensor, for bfloat16 and the float8 kinds
        raise ValueError(
            f"`path` must hold arrays of numpy's types. Received {path}: {error}; write it again as "
            "float32 or float16."
        ) from error
    except SafetensorError as error:
        raise ValueError(
            f"`path` must be a complete safetensors file. Received {path}, which is damaged ({error}). "
            "Write or copy it again."
        ) from error
    if saved_kind != kind:
        raise ValueError(
            f"`path` must hold an {kind}. Received {path}, whose header contains {saved_kind!r}. "
            "Give a file that was written by its `save`."
        )
    return arrays
