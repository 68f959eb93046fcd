"""Memory-mapped frames on disk, for data sets that are larger than memory.

`FrameStore`  folder of uint8 frames with episode bounds

`rlpriors.data.frame_writer` writes stores.  The folder has `frames.npy` [N, H, W, C], one `<name>.npy`
[N, ...] for each further array, and `index.json`.  Arrays named `act`, `rew`, `terminated` and `truncated`
describe the step that starts *at* their frame.  An episode of T steps has T + 1 frames, and its last row
has no meaning.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped, UInt8

from rlpriors.data.validation import check_at_least_one, check_indices
from rlpriors.storage.array_folder import array_names, frame_counts, map_array

__all__ = ["FrameStore"]

FRAMES, INDEX = "frames", "index.json"
STEP_ARRAYS = ("act", "rew", "terminated", "truncated")


@dataclass(frozen=True, eq=False, repr=False)
class FrameStore:
    """Frames of many episodes in one array, with further arrays; `open` maps them from a folder.

    Data are read from disk when they are used.  Pickling a store saves the name of its folder only.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frame_writer import FrameWriter
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
    """Folder of the store."""
    frames: UInt8[np.ndarray, "frames height width channels"]
    """Frames of all episodes, end to end."""
    lengths: Int[np.ndarray, " episodes"]
    """Number of frames of each episode."""
    arrays: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Further arrays by name, each with one row for each frame."""

    @classmethod
    def open(cls, folder: str | Path) -> "FrameStore":
        """Return the store in `folder`, memory-mapped.

        Raises:
            FileNotFoundError: there is no store in `folder`.
            ValueError: the store is damaged: a file is missing, truncated, of another type, or does not fit.
        """
        folder = Path(folder)
        if not (folder / INDEX).is_file():
            raise FileNotFoundError(
                f"`folder` must hold frames that a FrameWriter wrote. Received {str(folder)!r}, which "
                f"{f'has no {INDEX}' if folder.is_dir() else 'is not a folder'}."
            )
        try:
            index = json.loads((folder / INDEX).read_text())
            names = array_names(index["arrays"], reserved=FRAMES)
            frames = map_array(folder, FRAMES)
            if frames.dtype != np.uint8 or frames.ndim != 4:
                raise ValueError(f"frames are {frames.dtype} of shape {frames.shape}")
            lengths = frame_counts(index["lengths"], len(frames))
            mapped = {name: map_array(folder, name) for name in names}
            for name, array in mapped.items():
                if array.shape[:1] != (len(frames),):
                    raise ValueError(f"{name} has shape {array.shape} for {len(frames)} frames")
        except (OSError, EOFError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise ValueError(
                f"The frames in {folder} are damaged ({type(error).__name__}: {error}). Write them again."
            ) from error
        return cls(folder, frames, lengths, mapped)

    def __reduce__(self) -> tuple[Any, ...]:
        return FrameStore.open, (self.folder,)

    def __repr__(self) -> str:
        """Return the sizes of the store."""
        shape = self.frames.shape
        names = "".join(f", {name}" for name in self.arrays)
        return f"FrameStore({len(self.lengths)} episodes, {shape[0]} frames of {shape[1:]}{names})"

    @property
    def n_frames(self) -> int:
        """Number of frames of all episodes."""
        return len(self.frames)

    @property
    def n_episodes(self) -> int:
        """Number of episodes."""
        return len(self.lengths)

    @cached_property
    def starts(self) -> Int[np.ndarray, " episodes"]:
        """Index of the first frame of each episode."""
        return np.asarray(np.cumsum(self.lengths) - self.lengths)

    def episode(self, index: int, array: str = FRAMES) -> Shaped[np.ndarray, "frames *rest"]:
        """Return the frames of one episode, or its rows of another `array`, as a view of the file."""
        index = int(check_indices("index", [index], self.n_episodes, "episodes")[0])
        first = int(self.starts[index])
        return self._array(array)[first : first + int(self.lengths[index])]

    def window_starts(self, horizon: int, stride: int = 1) -> Int[np.ndarray, " n"]:
        """Return the frames at which a window of `horizon` frames, `stride` apart, fits into its episode.

        Raises:
            ValueError: no window fits.
        """
        check_at_least_one(horizon=horizon, stride=stride)
        room = self.lengths - (horizon - 1) * stride
        if room.max() < 1:
            raise ValueError(
                f"`horizon` {horizon} with `stride` {stride} must fit into an episode: it needs "
                f"{(horizon - 1) * stride + 1} frames. Received episodes of at most {self.lengths.max()} "
                "frames; use a smaller horizon or stride."
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
        """Return copies of the windows that begin at `starts`, of the frames or of another `array`.

        Raises:
            ValueError: a window leaves its episode, or there is no such array.
        """
        check_at_least_one(horizon=horizon, stride=stride)
        starts = check_indices("starts", starts, self.n_frames, "frames")
        rows = starts[:, None] + stride * np.arange(horizon)
        ends = np.cumsum(self.lengths)
        leaving = rows[:, -1] >= ends[np.searchsorted(ends, starts, side="right")]
        if leaving.any():
            raise ValueError(
                f"`starts` must leave room for {horizon} frames, {stride} apart, in their episodes. Received "
                f"{starts[leaving][0]}; `window_starts` returns all valid starts."
            )
        return np.asarray(self._array(array)[rows])

    def steps(self) -> dict[str, np.ndarray]:
        """Return the stored `act`, `rew`, `terminated` and `truncated`, without the rows of final frames."""
        is_step = np.ones(self.n_frames, np.bool_)
        is_step[np.cumsum(self.lengths) - 1] = False
        return {name: np.asarray(self.arrays[name][is_step]) for name in STEP_ARRAYS if name in self.arrays}

    def _array(self, name: str) -> np.ndarray:
        if name != FRAMES and name not in self.arrays:
            raise ValueError(f"`array` must be one of {[FRAMES, *self.arrays]}. Received {name!r}.")
        return self.frames if name == FRAMES else self.arrays[name]
