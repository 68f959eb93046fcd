"""Images that were encoded before are not encoded again.

`VectorCache`  the vectors of the images seen last, found by their bytes
`CacheStats`   how often that helped
`hash_images`  the hash that finds them

Games repeat themselves: many frames, and most small crops, are to the byte what they were before.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped, UInt8
from torch import Tensor

__all__ = ["CacheStats", "VectorCache", "hash_images"]

Key = tuple[int, tuple[int, ...], int]  # hash, shape, position


@dataclass
class CacheStats:
    """Counts since the cache was made or cleared."""

    hits: int = 0
    """Images that did not have to be encoded, repetitions inside one batch included."""

    misses: int = 0
    """Images that had to be encoded."""

    evictions: int = 0
    """Vectors that made room for newer ones."""

    @property
    def hit_rate(self) -> float:
        """Hits among all images; 0 before the first."""
        return self.hits / max(self.hits + self.misses, 1)


def hash_images(words: UInt8[np.ndarray, "images bytes"]) -> list[int]:
    """A 64-bit number for each row, the sum of its 32-bit words times fixed random numbers.

    Multilinear hashing (1202.4961, sec. 2): for random factors any two different rows agree with a
    probability of at most 2^-33.  The number of bytes must be divisible by 4.
    """
    # Quicker than zlib.crc32 and hashlib, which take one image at a time: a single call for the batch.
    numbers = words.view(np.uint32)
    hashes: list[int] = np.einsum("nw,w->n", numbers, _factors(numbers.shape[1])).tolist()
    return hashes


class VectorCache:
    """The vectors of up to `capacity` images, forgetting what was not seen for longest.

    Exact: a hash finds an entry, and its image is compared byte by byte before it counts.  So what
    comes out is what the encoder made of these very pixels (in another batch: floating point rounds
    differently for other batch sizes, by about 1e-6).

    The vectors lie in one tensor on the encoder's device, the images in the host's memory.  One cache
    serves one frozen encoder: `clear` it when weights or preprocessing change.  Images of other sizes
    never meet; `positions`, where given, keep equal images from other places of the frame apart too,
    which an encoder of single images does not need.  A copy, also a pickled one, starts empty.

    Raises:
        ValueError: `capacity` is below 1.

    Example:
        >>> cache = VectorCache(capacity=100)
        >>> images = torch.zeros(3, 4, 4, 1, dtype=torch.uint8)
        >>> images[2] = 9
        >>> mean = lambda parts: torch.cat([part.float().mean((1, 2)) for part in parts])
        >>> cache.encode([images], mean).flatten()
        tensor([0., 0., 9.])
        >>> cache.stats
        CacheStats(hits=1, misses=2, evictions=0)
    """

    def __init__(self, capacity: int) -> None:
        if capacity < 1:
            raise ValueError(f"`capacity` must be at least 1. Received {capacity}.")
        self.capacity = capacity
        self.clear()

    def clear(self) -> None:
        """Forget everything and give the memory back."""
        self._stats = CacheStats()
        self._slots: dict[Key, list[int]] = {}
        self._order: OrderedDict[int, Key] = OrderedDict()  # from the longest unseen to the latest
        self._images: list[np.ndarray] = []
        self._vectors: Tensor | None = None

    @property
    def stats(self) -> CacheStats:
        """Counts so far, as a copy."""
        return replace(self._stats)

    def __len__(self) -> int:
        return len(self._order)

    def __getstate__(self) -> dict[str, Any]:
        return {"capacity": self.capacity}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.capacity = state["capacity"]
        self.clear()

    def encode(
        self,
        parts: Sequence[Tensor],
        encoder: Callable[[list[Tensor]], Tensor],
        positions: Int[Tensor, " images"] | None = None,
    ) -> Float[Tensor, "images *out"]:
        """The vectors of all images; `encoder` is called for those that are not known yet.

        `parts` are images [n, height, width, channels] by size and `positions` one number for each,
        as in `Views`.  `encoder` gets such a list, each distinct image once and no part empty, and
        returns one vector for each in this order.  It is not called when all images are known.

        Raises:
            TypeError: the images are not uint8.
            ValueError: there are none, or `encoder` returns another number of vectors, or vectors of
                another shape or type than before.
        """
        batch = _Batch()
        wanted = [
            part[rows]
            for part, images in zip(parts, _hashed(parts, positions), strict=True)
            if (rows := self._divide(images, batch))
        ]
        if not batch.sources:
            raise ValueError("`parts` must hold at least one image. Received none.")
        self._stats.misses += len(batch.fresh)
        self._stats.hits += len(batch.sources) - len(batch.fresh)
        vectors = [] if self._vectors is None or not batch.slots else [self._vectors[batch.slots]]
        if wanted:
            # Before anything is kept: what is new may push out what this batch has just found.
            new = encoder(wanted)
            _check_count(len(batch.fresh), new)
            self._keep(batch.fresh, new)
            vectors.append(new)
        rows = [row if row >= 0 else len(batch.slots) - 1 - row for row in batch.sources]
        return torch.cat(vectors)[rows]

    def lookup(
        self,
        images: Shaped[Tensor, "images height width channels"],
        positions: Int[Tensor, " images"] | None = None,
    ) -> tuple[Bool[Tensor, " images"], Float[Tensor, "hits *out"] | None]:
        """Which images are known, and the vectors of these; None where none is.

        `encode` does all in one; this and `insert` are its halves.

        Raises:
            TypeError: the images are not uint8.
        """
        batch = _Batch()
        self._divide(_hashed([images], positions)[0], batch)
        hits = torch.tensor([row >= 0 for row in batch.sources], dtype=torch.bool, device=images.device)
        self._stats.hits += len(batch.slots)
        self._stats.misses += len(hits) - len(batch.slots)
        return hits, self._vectors[batch.slots] if self._vectors is not None and batch.slots else None

    def insert(
        self,
        images: Shaped[Tensor, "images height width channels"],
        vectors: Float[Tensor, "given *out"],
        positions: Int[Tensor, " images"] | None = None,
    ) -> None:
        """Keep the vectors of these images; those that are known keep what they have.

        Raises:
            TypeError: the images are not uint8.
            ValueError: the vectors have another shape or type than those before.
        """
        batch = _Batch()
        rows = self._divide(_hashed([images], positions)[0], batch)
        _check_count(len(images), vectors)
        if rows:
            self._keep(batch.fresh, vectors[rows])

    def _divide(self, images: "list[_Image]", batch: "_Batch") -> list[int]:
        """Enter images into the batch and return the rows of those that must be encoded."""
        rows = []
        for row, image in enumerate(images):
            slot = _match(image, self._slots, self._images)
            if slot is not None:
                self._order.move_to_end(slot)
                batch.sources.append(len(batch.slots))
                batch.slots.append(slot)
                continue
            twin = _match(image, batch.numbers, batch.words)
            if twin is None:
                twin = len(batch.fresh)
                batch.fresh.append(image)
                batch.words.append(image.words)
                batch.numbers.setdefault(image.key, []).append(twin)
                rows.append(row)
            batch.sources.append(-1 - twin)
        return rows

    def _keep(self, images: "list[_Image]", vectors: Tensor) -> None:
        if self._vectors is None:
            # Outside inference mode, or later writes outside it would be refused.
            with torch.inference_mode(False):
                self._vectors = vectors.new_zeros((self.capacity, *vectors.shape[1:]))
        slab = self._vectors
        if (slab.shape[1:], slab.dtype, slab.device) != (vectors.shape[1:], vectors.dtype, vectors.device):
            raise ValueError(
                f"A cache serves one encoder: it holds vectors {list(slab.shape[1:])} of {slab.dtype} on "
                f"{slab.device}. Received {list(vectors.shape[1:])} of {vectors.dtype} on "
                f"{vectors.device}; call `clear()` when the encoder changes."
            )
        # Of more than fit only the last are kept, so that no slot is written twice.
        slots = [self._claim(image) for image in images[-self.capacity :]]
        with torch.no_grad():
            slab[slots] = vectors[-self.capacity :].detach()

    def _claim(self, image: "_Image") -> int:
        if len(self._order) < self.capacity:
            slot = len(self._order)
            self._images.append(image.words.copy())
        else:
            slot, old = self._order.popitem(last=False)
            self._slots[old].remove(slot)
            if not self._slots[old]:
                del self._slots[old]
            self._images[slot] = image.words.copy()
            self._stats.evictions += 1
        self._order[slot] = image.key
        self._slots.setdefault(image.key, []).append(slot)
        return slot


class _Image(NamedTuple):
    key: Key
    words: np.ndarray


@dataclass
class _Batch:
    sources: list[int] = field(default_factory=list)
    """For each image its place among `slots`, or -1 minus its place among `fresh`."""
    slots: list[int] = field(default_factory=list)
    fresh: list[_Image] = field(default_factory=list)
    words: list[np.ndarray] = field(default_factory=list)
    """Those of `fresh`."""
    numbers: dict[Key, list[int]] = field(default_factory=dict)


def _check_count(images: int, vectors: Tensor) -> None:
    if len(vectors) != images:
        raise ValueError(f"There must be {images} vectors, one for each image. Received {len(vectors)}.")


def _match(image: _Image, numbers: dict[Key, list[int]], images: Sequence[np.ndarray]) -> int | None:
    # Two images of one hash share a key: the bytes decide.
    for number in numbers.get(image.key, ()):
        if np.array_equal(images[number], image.words):
            return number
    return None


def _hashed(parts: Sequence[Tensor], positions: Tensor | None) -> list[list[_Image]]:
    total = sum(len(part) for part in parts)
    places = [0] * total if positions is None else positions.tolist()
    if len(places) != total:
        raise ValueError(f"`positions` must be {total}, one for each image. Received {len(places)}.")
    hashed, first = [], 0
    for part in parts:
        if part.dtype != torch.uint8:
            raise TypeError(
                f"A cache finds images by their bytes: they must be uint8. Received {part.dtype}."
            )
        words = _words(part)
        hashes = hash_images(words)
        shape = tuple(part.shape[1:])
        keys = zip(hashes, places[first : first + len(part)], strict=True)
        hashed.append([_Image((h, shape, place), row) for (h, place), row in zip(keys, words, strict=True)])
        first += len(part)
    return hashed


def _words(part: Tensor) -> UInt8[np.ndarray, "images bytes"]:
    rows = part.detach().cpu().contiguous().reshape(len(part), part[:1].numel()).numpy()
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))) if rows.shape[1] % 4 else rows


@lru_cache(maxsize=64)
def _factors(size: int) -> np.ndarray:
    return np.random.default_rng(12024961).integers(0, 2**64, size, dtype=np.uint64)
