"""Where the frames of a data set come from, episode by episode, and which of them are the same.

`FrameSource`  frames in batches, and the steps that belong to them
`open_source`  an array, a `FrameStore` or a Minari data set as one
`Seen`         finds frames that were there before
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

__all__ = ["FrameSource", "Seen", "open_source"]

STEP = ("act", "rew", "terminated", "truncated")


class FrameSource(ABC):
    """Frames by episode, in order."""

    name: str
    """What people call it."""
    lengths: Int[np.ndarray, " episodes"]
    """Number of frames of each episode."""

    @abstractmethod
    def episodes(self, steps: dict[str, list[np.ndarray]]) -> Iterator[np.ndarray]:
        """The frames of each episode; what is known of its steps is appended to `steps`."""

    def same(self, row: int, frame: np.ndarray, previous: np.ndarray | None) -> bool:
        """Whether these are the frame in `row` and the one before it, of which the digests are equal."""
        return True

    def batches(
        self, size: int, steps: dict[str, list[np.ndarray]]
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """The first row of each batch, its frames, and for each of them the one before.

        The first frame of an episode is its own predecessor.
        """
        start, held = 0, 0
        parts: list[tuple[np.ndarray, np.ndarray]] = []
        for frames in self.episodes(steps):
            offset = 0
            while offset < len(frames):
                rows = np.arange(offset, min(offset + size - held, len(frames)))
                parts.append((frames[rows], frames[np.maximum(rows - 1, 0)]))
                offset, held = offset + len(rows), held + len(rows)
                if held == size:
                    yield start, *_joined(parts)
                    start, held, parts = start + size, 0, []
        if parts:
            yield start, *_joined(parts)


class _Arrays(FrameSource):
    """An array of frames or a store, which can be read at random."""

    def __init__(
        self, name: str, frames: np.ndarray, lengths: np.ndarray, steps: Mapping[str, np.ndarray]
    ) -> None:
        self.name, self.frames, self.lengths, self.steps = name, frames, lengths, steps
        self._starts = set((np.cumsum(lengths) - lengths).tolist())

    def episodes(self, steps: dict[str, list[np.ndarray]]) -> Iterator[np.ndarray]:
        steps.update({name: [array] for name, array in self.steps.items()})
        for end, length in zip(np.cumsum(self.lengths), self.lengths, strict=True):
            yield self.frames[end - length : end]

    def same(self, row: int, frame: np.ndarray, previous: np.ndarray | None) -> bool:
        before = row if row in self._starts else row - 1
        alike = previous is None or np.array_equal(self.frames[before], previous)
        return bool(alike and np.array_equal(self.frames[row], frame))


class _Minari(FrameSource):
    """A Minari data set, which is read episode by episode."""

    def __init__(self, dataset_id: str, obs_keys: Sequence[str] | None) -> None:
        from rlpriors.data.minari import episode_steps  # an extra: not everybody has it

        self.name, self.obs_keys = dataset_id, obs_keys
        self.lengths = episode_steps(dataset_id) + 1

    def episodes(self, steps: dict[str, list[np.ndarray]]) -> Iterator[np.ndarray]:
        from rlpriors.data.minari import read_episodes

        for episode in read_episodes(self.name):
            for name in STEP:
                steps.setdefault(name, []).append(np.asarray(getattr(episode, name)))
            yield _images(episode.obs, self.obs_keys)


class Seen:
    """Which row holds the same frame; nothing is the same when `dedup` is off.

    Example:
        >>> frames = np.zeros((3, 4, 4, 1), np.uint8)
        >>> frames[1] = 1
        >>> Seen(open_source(frames), dedup=True).rows(np.arange(3), frames, None)
        array([0, 1, 0])
    """

    def __init__(self, source: FrameSource, dedup: bool) -> None:
        self._source, self._dedup = source, dedup
        self._first: dict[bytes, int] = {}
        self._all = blake2b(digest_size=16)

    @property
    def digest(self) -> str:
        """Of all frames so far, in whatever batches: tells whether a source is still the same."""
        return self._all.hexdigest()

    def rows(
        self, rows: Int[np.ndarray, " n"], frames: np.ndarray, previous: np.ndarray | None
    ) -> Int[np.ndarray, " n"]:
        """For each frame the first row with the same one (and the same before it, if that matters)."""
        origin = rows.copy()
        for i, row in enumerate(rows):
            before = None if previous is None else previous[i]
            key = _digest(frames[i], before)
            self._all.update(key)
            if not self._dedup:
                continue
            known = self._first.setdefault(key, int(row))
            if known != row and self._source.same(known, frames[i], before):
                origin[i] = known
        return origin


def open_source(
    source: str | Path | FrameStore | Shaped[np.ndarray, "..."], obs_keys: Sequence[str] | None = None
) -> FrameSource:
    """What `source` names: a Minari id, a `FrameStore` or its folder, or an array [N, H, W, C].

    `obs_keys` names the image in Minari's dictionary observations, where there is more than one.

    Raises:
        FileNotFoundError: there is no such folder or data set.
        ValueError: frames are no images, or `obs_keys` names none.
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


def _joined(parts: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    return np.concatenate([frames for frames, _ in parts]), np.concatenate([before for _, before in parts])


def _images(obs: Any, keys: Sequence[str] | None) -> np.ndarray:
    """The one image of a batch of observations."""
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
            digest.update(f"{part.dtype.str}{part.shape}".encode())  # the same bytes may be other frames
            digest.update(np.ascontiguousarray(part).data)
    return digest.digest()
