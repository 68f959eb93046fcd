"""Sources of frames for encoding, and deduplication of frames.

`FrameSource`         base class: frames of episodes in batches, with the arrays of their steps
`open_frame_source`   source for an array, a `FrameStore` or a Minari data set
`FrameDeduplicator`   search for equal frames among earlier ones
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int, Shaped

from rlpriors.data.frames import FrameStore
from rlpriors.data.observations import select_observation

__all__ = ["FrameDeduplicator", "FrameSource", "open_frame_source"]

STEP_ARRAYS = ("act", "rew", "terminated", "truncated")


class FrameSource(ABC):
    """Base class of frame sources: frames of episodes, in order."""

    name: str
    """Name of the source: a Minari id, the name of a folder, or "array"."""
    lengths: Int[np.ndarray, " episodes"]
    """Number of frames of each episode."""

    @abstractmethod
    def episodes(self, step_arrays: dict[str, list[np.ndarray]]) -> Iterator[np.ndarray]:
        """Yield the frames of each episode, and append the arrays of its steps to `step_arrays`."""

    def is_same_frame(self, row: int, frame: np.ndarray, previous: np.ndarray | None) -> bool:
        """Return True if `frame` and `previous`, whose digests are equal to those of `row`, are the same."""
        return True

    def batches(
        self, batch_size: int, step_arrays: dict[str, list[np.ndarray]]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield the first row of each batch, its frames, and their predecessors.

        The first frame of an episode is its own predecessor.
        """
        start, n_frames = 0, 0
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for frames in self.episodes(step_arrays):
            offset = 0
            while offset < len(frames):
                rows = np.arange(offset, min(offset + batch_size - n_frames, len(frames)))
                parts.append((frames[rows], frames[np.maximum(rows - 1, 0)]))
                offset, n_frames = offset + len(rows), n_frames + len(rows)
                if n_frames == batch_size:
                    yield start, *_concatenate(parts)
                    start, n_frames, parts = start + batch_size, 0, []
        if parts:
            yield start, *_concatenate(parts)


class _Arrays(FrameSource):
    """Source with random access: an array of frames or a `FrameStore`."""

    def __init__(
        self, name: str, frames: np.ndarray, lengths: np.ndarray, step_arrays: Mapping[str, np.ndarray]
    ) -> None:
        self.name, self.frames, self.lengths, self.step_arrays = name, frames, lengths, step_arrays
        self._starts = set((np.cumsum(lengths) - lengths).tolist())

    def episodes(self, step_arrays: dict[str, list[np.ndarray]]) -> Iterator[np.ndarray]:
        step_arrays.update({name: [array] for name, array in self.step_arrays.items()})
        for end, length in zip(np.cumsum(self.lengths), self.lengths, strict=True):
            yield self.frames[end - length : end]

    def is_same_frame(self, row: int, frame: np.ndarray, previous: np.ndarray | None) -> bool:
        before = row if row in self._starts else row - 1
        same_previous = previous is None or np.array_equal(self.frames[before], previous)
        return bool(same_previous and np.array_equal(self.frames[row], frame))


class _Minari(FrameSource):
    """Source of a Minari data set, which is read episode by episode."""

    def __init__(self, dataset_id: str, obs_keys: Sequence[str] | None) -> None:
        from rlpriors.data.minari import episode_lengths  # an optional dependency

        self.name, self.obs_keys = dataset_id, obs_keys
        self.lengths = episode_lengths(dataset_id) + 1

    def episodes(self, step_arrays: dict[str, list[np.ndarray]]) -> Iterator[np.ndarray]:
        from rlpriors.data.minari import read_episodes

        for episode in read_episodes(self.name, obs_keys=self.obs_keys):
            for name in STEP_ARRAYS:
                step_arrays.setdefault(name, []).append(np.asarray(getattr(episode, name)))
            yield _images(episode.obs, self.obs_keys)


class FrameDeduplicator:
    """Search for equal frames among earlier ones; without `dedup` no frames count as equal.

    Example:
        >>> frames = np.zeros((3, 4, 4, 1), np.uint8)
        >>> frames[1] = 1
        >>> FrameDeduplicator(open_frame_source(frames), dedup=True).first_rows(np.arange(3), frames, None)
        array([0, 1, 0])
    """

    def __init__(self, source: FrameSource, dedup: bool) -> None:
        self._source, self._dedup = source, dedup
        self._first: dict[bytes, int] = {}
        self._digest = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """Digest of all frames so far, independent of batches; it changes if the source changes."""
        return self._digest.hexdigest()

    def first_rows(
        self, rows: Int[np.ndarray, " n"], frames: np.ndarray, previous: np.ndarray | None
    ) -> Int[np.ndarray, " n"]:
        """Return for each frame the first row with an equal frame (and equal predecessor, if given)."""
        origin = rows.copy()
        for i, row in enumerate(rows):
            before = None if previous is None else previous[i]
            key = _digest(frames[i], before)
            self._digest.update(key)
            if not self._dedup:
                continue
            first = self._first.setdefault(key, int(row))
            if first != row and self._source.is_same_frame(first, frames[i], before):
                origin[i] = first
        return origin


def open_frame_source(
    source: str | Path | FrameStore | Shaped[np.ndarray, "..."], obs_keys: Sequence[str] | None = None
) -> FrameSource:
    """Open a Minari id, a `FrameStore` or its folder, or an array [N, H, W, C] as a source of frames.

    `obs_keys` names the image in Minari's dictionary observations, if there are several.

    Raises:
        FileNotFoundError: the folder or data set does not exist.
        ValueError: frames are not images, or `obs_keys` names none.
    """
    if isinstance(source, str) and not Path(source).exists():
        try:
            return _Minari(source, obs_keys)
        except (ValueError, FileNotFoundError) as error:
            raise FileNotFoundError(
                "`source` must be a folder of frames (FrameStore) or a Minari data set on this machine. "
                f"Received {source!r}, which is no folder; as a data set: {error}"
            ) from error
    if obs_keys is not None:
        raise ValueError(
            f"`obs_keys` selects from Minari's dictionary observations. Received {obs_keys!r} with frames; "
            "leave it out."
        )
    if isinstance(source, np.ndarray):
        return _Arrays("array", _images(source, None), np.array([len(source)]), {})
    store = source if isinstance(source, FrameStore) else FrameStore.open(source)
    return _Arrays(store.folder.name, store.frames, store.lengths, store.steps())


def _concatenate(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([frames for frames, _ in parts]), np.concatenate([before for _, before in parts])


def _images(obs: Any, keys: Sequence[str] | None) -> np.ndarray:
    """Return the image of a batch of observations."""
    if isinstance(obs, Mapping) and keys is None:
        keys = [path for path, leaf in _leaves(obs) if leaf.dtype == np.uint8 and leaf.ndim == 4]
        if len(keys) != 1:
            raise ValueError(
                "`obs_keys` must name one image of a dictionary observation. Received None, and there are "
                f"{len(keys)} uint8 images among {sorted(path for path, _ in _leaves(obs))}."
            )
    frames = select_observation(obs, keys, batch_dims=1)
    if frames.ndim != 4 or frames.dtype.kind not in "uf" or not len(frames):
        raise ValueError(
            "`source` must hold images [frames, height, width, channels], one for each observation. Received "
            f"{frames.dtype} of shape {frames.shape}{f' from obs_keys={list(keys)}' if keys else ''}."
        )
    return frames


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    for name, leaf in tree.items():
        if isinstance(leaf, Mapping):
            yield from _leaves(leaf, f"{prefix}{name}/")
        else:
            yield f"{prefix}{name}", np.asarray(leaf)


def _digest(*parts: np.ndarray | None) -> bytes:
    digest = blake2b(digest_size=32)
    for part in parts:
        if part is not None:
            digest.update(f"{part.dtype.str}{part.shape}".encode())  # equal bytes, other shape
            digest.update(np.ascontiguousarray(part).data)
    return digest.digest()
