"""Writer of a `FrameStore`.

`FrameWriter`  writes a store frame by frame; the folder appears when it is complete, or not at all
"""

import errno
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8

from rlpriors.data.episodes import Episode
from rlpriors.data.frames import FRAMES, INDEX, STEP_ARRAYS, FrameStore
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_numbers, check_finite
from rlpriors.storage.atomic import remove_stale, temporary_name
from rlpriors.storage.disk import explain_disk_errors

__all__ = ["FrameWriter"]


class FrameWriter:
    """Writer of a `FrameStore`, with at most the frames of one call in memory.

    Files are written to a temporary folder next to `folder`; `close` renames it.  A writer that fails or is
    killed leaves nothing at `folder`.  The next writer of the folder removes the files of a killed one.  As a
    context manager the writer closes itself, and discards the files after an error.

    Args:
        folder: new folder of the store.
        files: texts of further files of the folder, by name.

    Raises:
        ValueError: `folder` exists, or frames or arrays do not fit the first ones.
        OSError: the disk is full or read-only.

    Example:
        >>> import tempfile
        >>> writer = FrameWriter(tempfile.mkdtemp() + "/game")
        >>> for ram in range(3):
        ...     writer.append(np.full((4, 4, 1), ram, np.uint8), ram=ram)
        >>> writer.end_episode()
        >>> writer.close().arrays["ram"].tolist()
        [0, 1, 2]
    """

    store: FrameStore
    """The written store, after `close`."""

    def __init__(self, folder: str | Path, files: Mapping[str, str] | None = None) -> None:
        self.folder, self._files = Path(folder), dict(files or {})
        if self.folder.exists():
            raise ValueError(f"`folder` must be new. Received {str(folder)!r}, which exists.")
        self._temporary = self.folder.with_name(temporary_name(self.folder.name))
        with explain_disk_errors(self.folder):
            remove_stale(self.folder)
            self._temporary.mkdir(parents=True)
        self._open = True
        self._columns: dict[str, _Column] = {}
        self._lengths: list[int] = []

    def append(self, frame: UInt8[np.ndarray, "height width channels"], **arrays: Any) -> None:
        """Append a frame to the current episode, with its row of each further array."""
        self.extend(np.asarray(frame)[None], **{name: np.asarray(row)[None] for name, row in arrays.items()})

    def extend(self, frames: np.ndarray, **arrays: Any) -> None:
        """Append frames to the current episode; each further array has one row for each frame."""
        if not self._open:
            raise ValueError("This FrameWriter is closed. Create a new one for another folder.")
        rows = {FRAMES: np.asarray(frames), **{name: as_numbers(name, a) for name, a in arrays.items()}}
        if rows[FRAMES].dtype != np.uint8 or rows[FRAMES].ndim != 4:
            raise ValueError(
                "`frames` must be uint8 images [height, width, channels]. Received "
                f"{rows[FRAMES].dtype} of shape {rows[FRAMES].shape[1:]}."
            )
        if self._columns and rows.keys() != self._columns.keys():
            raise ValueError(
                f"Each frame must have the arrays of the first frame, {sorted(self._columns)}. Received "
                f"{sorted(rows)}."
            )
        for name, array in rows.items():  # checks of all arrays come before any write
            if not name.isidentifier():
                raise ValueError(f"Names of arrays must be identifiers. Received {name!r}.")
            column = self._columns.get(name)
            row = (array.shape[1:], array.dtype) if column is None else (column.shape, column.dtype)
            if len(array) != len(rows[FRAMES]) or (array.shape[1:], array.dtype) != row:
                raise ValueError(
                    f"`{name}` must have {len(rows[FRAMES])} rows of {row[1]} and shape {row[0]}. Received "
                    f"{array.dtype} of shape {array.shape}."
                )
            check_finite(name, array, np.array([len(array)]), len(self._lengths))
        for name, array in rows.items():
            if name not in self._columns:
                path = self._temporary / f"{name}.npy"
                with explain_disk_errors(self.folder):
                    self._columns[name] = _Column(path, array.dtype, array.shape[1:])
            with explain_disk_errors(self.folder):
                self._columns[name].extend(array)

    def end_episode(self) -> None:
        """End the current episode."""
        length = self._current_length()
        if length < 1:
            raise ValueError("An episode must have at least one frame. Received none.")
        self._lengths.append(length)

    def add_episode(self, frames: np.ndarray, **arrays: Any) -> None:
        """Write the frames of one whole episode, with its rows of each further array."""
        self.extend(frames, **arrays)
        self.end_episode()

    def add(self, episode: Episode, obs_keys: Sequence[str] | None = None) -> None:
        """Write an `Episode` with images for observations, with its actions, rewards and ends."""
        frames = select_observation(episode.obs, obs_keys, batch_dims=1)
        steps = {name: np.asarray(getattr(episode, name)) for name in STEP_ARRAYS}
        self.add_episode(
            frames, **{name: np.concatenate([a, np.zeros_like(a[:1])]) for name, a in steps.items()}
        )

    def close(self) -> FrameStore:
        """Move the files to `folder` and return the store; the current episode ends.

        Raises:
            ValueError: there is no frame, or `folder` was created in the meantime.
        """
        if not self._open:
            raise ValueError("This FrameWriter is closed already.")
        if self._current_length():
            self.end_episode()
        if not self._lengths:
            self.discard()
            raise ValueError("A store must hold at least one frame. Received none.")
        names = [name for name in self._columns if name != FRAMES]
        index = json.dumps({"lengths": self._lengths, "arrays": names}) + "\n"
        try:
            with explain_disk_errors(self.folder):
                for column in self._columns.values():
                    column.close()
                for name, text in {**self._files, INDEX: index}.items():
                    (self._temporary / name).write_bytes(text.encode())
            os.rename(self._temporary, self.folder)
        except (FileExistsError, NotADirectoryError) as error:
            raise ValueError(f"`folder` must be new. {self.folder} was created in the meantime.") from error
        except OSError as error:
            if error.errno != errno.ENOTEMPTY:
                raise
            raise ValueError(f"`folder` must be new. {self.folder} was created in the meantime.") from error
        finally:
            self.discard()
        self.store = FrameStore.open(self.folder)
        return self.store

    def discard(self) -> None:
        """Delete the files of a store that is not closed."""
        for column in self._columns.values():
            with suppress(OSError):  # a full disk: the rest of the buffer is not needed
                column.file.close()
        shutil.rmtree(self._temporary, ignore_errors=True)
        self._open = False

    def __enter__(self) -> "FrameWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.discard()
        elif self._open:
            self.close()

    def _current_length(self) -> int:
        return (self._columns[FRAMES].rows if self._columns else 0) - sum(self._lengths)


class _Column:
    """Growing .npy file; numpy's header has room for any number of rows."""

    def __init__(self, path: Path, dtype: np.dtype[Any], shape: tuple[int, ...]) -> None:
        self.dtype, self.shape, self.rows = dtype, shape, 0
        self.file = path.open("wb")
        self._write_header()
        self._data = self.file.tell()

    def extend(self, rows: np.ndarray) -> None:
        self.file.write(np.ascontiguousarray(rows).data)
        self.rows += len(rows)

    def close(self) -> None:
        self.file.seek(0)
        self._write_header()
        if self.file.tell() != self._data:  # it would overwrite the first row
            raise RuntimeError(f"numpy {np.__version__} leaves no room in the header of {self.file.name}.")
        self.file.close()

    def _write_header(self) -> None:
        header = {
            "descr": np.lib.format.dtype_to_descr(self.dtype),
            "fortran_order": False,
            "shape": (self.rows, *self.shape),
        }
        np.lib.format.write_array_header_1_0(self.file, header)
