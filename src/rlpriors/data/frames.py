"""Frames on disk: more of them than fit into memory, read where they lie.

`FrameStore`   a folder of uint8 frames with episode bounds, memory-mapped
`FrameWriter`  makes one, frame by frame; the folder appears when it is whole, or not at all

The folder holds `frames.npy` [N, H, W, C], one `<name>.npy` [N, ...] for each further array, and
`index.json`.  Arrays named `act`, `rew`, `terminated` and `truncated` describe the step that was
taken *from* their frame; an episode of T steps has T + 1 frames, and its last row says nothing.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from rlpriors.data.episodes import Episode
from rlpriors.data.observations import select_observation
from rlpriors.data.validation import as_numbers, at_least_one, check_finite, within

__all__ = ["FrameStore", "FrameWriter"]

FRAMES, INDEX = "frames", "index.json"
STEP = ("act", "rew", "terminated", "truncated")


@dataclass(frozen=True, eq=False, repr=False)
class FrameStore:
    """Frames of many episodes end to end, and what belongs to each; `open` maps them from a folder.

    Nothing is read before it is asked for.  A pickled store is its folder's name.

    Example:
        >>> import tempfile
        >>> with FrameWriter(tempfile.mkdtemp() + "/walk") as writer:
        ...     for _ in range(2):
        ...         writer.add_episode(np.zeros((5, 8, 8, 3), np.uint8), act=np.arange(5))
        >>> store = writer.store
        >>> store
        FrameStore(2 episodes, 10 frames of (8, 8, 3), act)
        >>> store.window_starts(horizon=3, stride=2)
        array([0, 5])
        >>> store.windows([0, 5], horizon=3, stride=2).shape
        (2, 3, 8, 8, 3)
    """

    folder: Path
    frames: UInt8[np.ndarray, "frames height width channels"]
    lengths: Int[np.ndarray, " episodes"]
    """Number of frames of each episode."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """What else is known about each frame, by name; each has a row for every frame."""

    @classmethod
    def open(cls, folder: str | Path) -> "FrameStore":
        """Map the store in `folder`.

        Raises:
            FileNotFoundError: there is no store in `folder`.
            ValueError: it is damaged: a file is missing, cut, of another type, or does not fit.
        """
        folder = Path(folder)
        if not (folder / INDEX).is_file():
            raise FileNotFoundError(
                f"`folder` must hold frames that a FrameWriter published. Received {str(folder)!r}, which "
                f"{f'has no {INDEX}' if folder.is_dir() else 'is no folder'}."
            )
        try:
            index = json.loads((folder / INDEX).read_text())
            lengths = np.asarray(index["lengths"], np.int64)
            names = [str(name) for name in index["arrays"]]
            mapped = {
                name: np.load(folder / f"{name}.npy", mmap_mode="r", allow_pickle=False)
                for name in (FRAMES, *names)
            }
            frames = mapped.pop(FRAMES)
            if frames.dtype != np.uint8 or frames.ndim != 4:
                raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}")
            if lengths.ndim != 1 or not lengths.size or lengths.min() < 1:
                raise ValueError(f"episodes of {lengths.tolist()} frames")
            for name, array in {FRAMES: frames, **mapped}.items():
                if len(array) != lengths.sum():
                    raise ValueError(f"{name} has {len(array)} rows for {lengths.sum()} frames")
        except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"The frames in {folder} are damaged ({type(error).__name__}: {error}). Write them again."
            ) from error
        return cls(folder, frames, lengths, mapped)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrameStore.open, (self.folder,)

    def __repr__(self) -> str:
        """Sizes, not contents."""
        shape = self.frames.shape
        names = "".join(f", {name}" for name in self.arrays)
        return f"FrameStore({len(self.lengths)} episodes, {shape[0]} frames of {shape[1:]}{names})"

    @property
    def n_frames(self) -> int:
        """Frames of all episodes together."""
        return len(self.frames)

    @property
    def n_episodes(self) -> int:
        """Number of episodes."""
        return len(self.lengths)

    @cached_property
    def starts(self) -> Int[np.ndarray, " episodes"]:
        """The first frame of each episode."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    def episode(self, index: int, array: str = FRAMES) -> Shaped[np.ndarray, "frames *rest"]:
        """The frames of one episode, or its rows of another `array`, as a view into the file."""
        index = int(within("index", np.asarray([index]), self.n_episodes, "episodes")[0])
        first = int(self.starts[index])
        return self._array(array)[first : first + int(self.lengths[index])]

    def window_starts(self, horizon: int, stride: int = 1) -> Int[np.ndarray, " n"]:
        """Frames at which a window of `horizon` frames, `stride` apart, lies wholly inside its episode.

        Raises:
            ValueError: no window fits.
        """
        at_least_one(horizon=horizon, stride=stride)
        room = self.lengths - (horizon - 1) * stride
        if room.max() < 1:
            raise ValueError(
                f"No window fits: `horizon` {horizon} and `stride` {stride} need episodes of "
                f"{(horizon - 1) * stride + 1} frames. Received episodes of at most {self.lengths.max()}; "
                "take a shorter horizon or stride."
            )
        time = np.arange(self.n_frames) - np.repeat(self.starts, self.lengths)
        return np.flatnonzero(time < np.repeat(room, self.lengths))

    def windows(
        self,
        starts: Sequence[int] | Int[np.ndarray, " n"],
        horizon: int,
        stride: int = 1,
        *,
        array: str = FRAMES,
    ) -> Shaped[np.ndarray, "n horizon *rest"]:
        """Copies of the windows at `starts`, and of nothing else; `array` names another one than frames.

        Raises:
            ValueError: a window leaves its episode, or there is no such array.
        """
        at_least_one(horizon=horizon, stride=stride)
        starts = within("starts", np.asarray(starts), self.n_frames, "frames")
        rows = starts[:, None] + stride * np.arange(horizon)
        ends = np.cumsum(self.lengths)
        leaving = rows[:, -1] >= ends[np.searchsorted(ends, starts, side="right")]
        if leaving.any():
            raise ValueError(
                f"`starts` must leave room for {horizon} frames, {stride} apart, in their episodes. Received "
                f"{starts[leaving][0]}; `window_starts` gives those that do."
            )
        return np.asarray(self._array(array)[rows])

    def steps(self) -> dict[str, np.ndarray]:
        """The steps of all episodes end to end: `act`, `rew`, `terminated`, `truncated`, as far as stored."""
        last = np.cumsum(self.lengths) - 1
        inside = np.ones(self.n_frames, np.bool_)
        inside[last] = False
        return {name: np.asarray(self.arrays[name][inside]) for name in STEP if name in self.arrays}

    def _array(self, name: str) -> np.ndarray:
        if name != FRAMES and name not in self.arrays:
            raise ValueError(f"`array` must be one of {[FRAMES, *self.arrays]}. Received {name!r}.")
        return self.frames if name == FRAMES else self.arrays[name]


class FrameWriter:
    """Writes a `FrameStore`; memory holds one call's frames at most.

    The files grow under a temporary name beside `folder`, which `close` gives them when they are
    whole: a writer that fails or is killed leaves nothing at `folder`.  As a context manager it
    closes itself, or after an error throws away what it wrote.

    Raises:
        ValueError: `folder` is taken, or frames or arrays do not fit the first ones.

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
    """What was written, once it is closed."""

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        if self.folder.exists():
            raise ValueError(f"`folder` must be new. Received {str(folder)!r}, which exists.")
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        self._temporary = Path(
            tempfile.mkdtemp(prefix=f".{self.folder.name}.", suffix=".tmp", dir=self.folder.parent)
        )
        self._open = True
        self._inside = self._temporary / "store"  # mkdtemp's own folder is closed to everybody else
        self._inside.mkdir()
        self._columns: dict[str, _Column] = {}
        self._lengths: list[int] = []

    def append(self, frame: UInt8[np.ndarray, "height width channels"], **arrays: Any) -> None:
        """One more frame of the running episode, with its row of each further array."""
        self.extend(np.asarray(frame)[None], **{name: np.asarray(row)[None] for name, row in arrays.items()})

    def extend(self, frames: np.ndarray, **arrays: Any) -> None:
        """Several more frames of the running episode; each further array has a row for each of them."""
        if not self._open:
            raise ValueError("This FrameWriter is closed. Make a new one for another folder.")
        rows = {FRAMES: np.asarray(frames), **{name: as_numbers(name, a) for name, a in arrays.items()}}
        if rows[FRAMES].dtype != np.uint8 or rows[FRAMES].ndim != 4:
            raise ValueError(
                "`frames` must be uint8 images [height, width, channels]. Received "
                f"{rows[FRAMES].dtype} of shape {rows[FRAMES].shape[1:]}."
            )
        if self._columns and rows.keys() != self._columns.keys():
            raise ValueError(
                f"Every frame must come with the arrays of the first, {sorted(self._columns)}. Received "
                f"{sorted(rows)}."
            )
        for name, array in rows.items():  # all are checked before any is written
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
                path = self._inside / f"{name}.npy"
                self._columns[name] = _Column(path, array.dtype, array.shape[1:])
            self._columns[name].extend(array)

    def end_episode(self) -> None:
        """The frames since the last call were one episode."""
        length = self._running()
        if length < 1:
            raise ValueError("Every episode must have at least one frame. Received none.")
        self._lengths.append(length)

    def add_episode(self, frames: np.ndarray, **arrays: Any) -> None:
        """The frames of one whole episode, and its rows of each further array."""
        self.extend(frames, **arrays)
        self.end_episode()

    def add(self, episode: Episode, obs_keys: Sequence[str] | None = None) -> None:
        """One episode of images as an environment gave it, with its actions, rewards and ends."""
        frames = select_observation(episode.obs, obs_keys, batch_dims=1)
        steps = {name: np.asarray(getattr(episode, name)) for name in STEP}
        self.add_episode(
            frames, **{name: np.concatenate([a, np.zeros_like(a[:1])]) for name, a in steps.items()}
        )

    def close(self) -> FrameStore:
        """Publish what was written; frames since the last `end_episode` are an episode too.

        Raises:
            ValueError: there is no frame, or another writer took `folder` in the meantime.
        """
        if not self._open:
            raise ValueError("This FrameWriter is closed already.")
        if self._running():
            self.end_episode()
        if not self._lengths:
            self.discard()
            raise ValueError("A store must hold at least one frame. Received none.")
        for column in self._columns.values():
            column.close()
        names = [name for name in self._columns if name != FRAMES]
        (self._inside / INDEX).write_text(json.dumps({"lengths": self._lengths, "arrays": names}) + "\n")
        try:
            os.rename(self._inside, self.folder)
        except OSError as error:
            raise ValueError(f"`folder` must be new. {self.folder} was taken meanwhile.") from error
        finally:
            self.discard()
        self.store = FrameStore.open(self.folder)
        return self.store

    def discard(self) -> None:
        """Throw away what is not published."""
        for column in self._columns.values():
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

    def _running(self) -> int:
        return (self._columns[FRAMES].rows if self._columns else 0) - sum(self._lengths)


class _Column:
    """A .npy file that grows: numpy leaves room in the header for any number of rows."""

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
