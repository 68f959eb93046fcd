"""Cache of the features of recent images.

`FeatureCache`   exact least-recently-used cache, keyed by the bytes of images
`CacheStats`     counts of hits, misses and evictions

Many frames of games, and most small crops, repeat byte by byte.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from rlpriors.encoders.dataset.image_hash import HashedImage, ImageKey, find_image, hash_batches

__all__ = ["CacheStats", "FeatureCache"]


@dataclass
class CacheStats:
    """Counts since the cache was created or cleared."""

    hits: int = 0
    """Images that were not encoded, including repetitions within one batch."""

    misses: int = 0
    """Images that were encoded."""

    evictions: int = 0
    """Vectors that were replaced by newer ones."""

    @property
    def hit_rate(self) -> float:
        """Fraction of hits among all images; 0 before the first image."""
        return self.hits / max(self.hits + self.misses, 1)


class FeatureCache:
    """Least-recently-used cache of the vectors of up to `capacity` images.

    The cache is exact: a hash finds an entry, and its image is compared byte by byte.  A cached vector
    is the encoder's output for exactly these pixels, possibly computed in another batch (floating
    point rounds differently for other batch sizes, by about 1e-6).

    Vectors are stored in one tensor on the encoder's device, images in host memory.  A cache serves
    one frozen encoder; call `clear` when weights or preprocessing change.  Images of different sizes
    are never equal.  With `positions`, equal images at different positions of a frame are distinct
    too, which an encoder of single images does not need.  A copy, also a pickled one, starts empty.

    Raises:
        ValueError: `capacity` is below 1.

    Example:
        >>> cache = FeatureCache(capacity=100)
        >>> images = torch.zeros(3, 4, 4, 1, dtype=torch.uint8)
        >>> images[2] = 9
        >>> mean = lambda batches: torch.cat([batch.float().mean((1, 2)) for batch in batches])
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
        """Remove all entries, reset the counts and free the memory."""
        self._stats = CacheStats()
        self._slots: dict[ImageKey, list[int]] = {}
        self._order: OrderedDict[int, ImageKey] = OrderedDict()  # least recently used first
        self._images: list[np.ndarray] = []
        self._vectors: Tensor | None = None

    @property
    def stats(self) -> CacheStats:
        """Copy of the counts so far."""
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
        batches: Sequence[Tensor],
        encoder: Callable[[list[Tensor]], Tensor],
        positions: Int[Tensor, " images"] | None = None,
    ) -> Float[Tensor, "images *out"]:
        """Return the vectors of all images, and call `encoder` for those that are not cached.

        `batches` are images [n, height, width, channels] by size, and `positions` holds one number per
        image, as in `ImageViews`.  `encoder` receives such batches, with each distinct image once and
        no empty batch, and returns one vector per image in this order.  It is not called if all images
        are cached.

        Raises:
            TypeError: the images are not uint8.
            ValueError: there are no images, or `encoder` returns another number of vectors, or vectors
                of another shape or type than before.
        """
        batch = _Batch()
        misses = [
            images[rows]
            for images, hashed in zip(batches, hash_batches(batches, positions), strict=True)
            if (rows := self._look_up(hashed, batch))
        ]
        if not batch.sources:
            raise ValueError("`batches` must hold at least one image. Received none.")
        self._stats.misses += len(batch.fresh)
        self._stats.hits += len(batch.sources) - len(batch.fresh)
        vectors = [] if self._vectors is None or not batch.slots else [self._vectors[batch.slots]]
        if misses:
            # Hits were read above, since storing new vectors may evict them.
            new = encoder(misses)
            _check_count(len(batch.fresh), new)
            self._store(batch.fresh, new)
            vectors.append(new)
        rows = [row if row >= 0 else len(batch.slots) - 1 - row for row in batch.sources]
        return torch.cat(vectors)[rows]

    def lookup(
        self,
        images: Shaped[Tensor, "images height width channels"],
        positions: Int[Tensor, " images"] | None = None,
    ) -> tuple[Bool[Tensor, " images"], Float[Tensor, "hits *out"] | None]:
        """Return a mask of the cached images, and their vectors; None without any hit.

        `encode` combines `lookup` and `insert`.

        Raises:
            TypeError: the images are not uint8.
        """
        batch = _Batch()
        self._look_up(hash_batches([images], positions)[0], batch)
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
        """Store the vectors of images that are not cached yet.

        Raises:
            TypeError: the images are not uint8.
            ValueError: the vectors have another shape or type than earlier ones.
        """
        batch = _Batch()
        rows = self._look_up(hash_batches([images], positions)[0], batch)
        _check_count(len(images), vectors)
        if rows:
            self._store(batch.fresh, vectors[rows])

    def _look_up(self, images: list[HashedImage], batch: "_Batch") -> list[int]:
        """Add images to the batch and return the rows of those that must be encoded."""
        rows = []
        for row, image in enumerate(images):
            slot = find_image(image, self._slots, self._images)
            if slot is not None:
                self._order.move_to_end(slot)
                batch.sources.append(len(batch.slots))
                batch.slots.append(slot)
                continue
            number = find_image(image, batch.numbers, batch.words)
            if number is None:
                number = len(batch.fresh)
                batch.fresh.append(image)
                batch.words.append(image.words)
                batch.numbers.setdefault(image.key, []).append(number)
                rows.append(row)
            batch.sources.append(-1 - number)
        return rows

    def _store(self, images: list[HashedImage], vectors: Tensor) -> None:
        if self._vectors is None:
            # Created outside inference mode, so that it can be written to outside of it.
            with torch.inference_mode(False):
                self._vectors = vectors.new_zeros((self.capacity, *vectors.shape[1:]))
        stored = self._vectors
        expected = (stored.shape[1:], stored.dtype, stored.device)
        if (vectors.shape[1:], vectors.dtype, vectors.device) != expected:
            raise ValueError(
                f"A cache serves one encoder: it holds vectors {list(stored.shape[1:])} of {stored.dtype} on "
                f"{stored.device}. Received {list(vectors.shape[1:])} of {vectors.dtype} on "
                f"{vectors.device}; call `clear()` when the encoder changes."
            )
        # Only the last `capacity` vectors are stored, so that no slot is written twice.
        slots = [self._claim(image) for image in images[-self.capacity :]]
        with torch.no_grad():
            stored[slots] = vectors[-self.capacity :].detach()

    def _claim(self, image: HashedImage) -> int:
        """Assign a slot to an image, evicting the least recently used one if necessary."""
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


@dataclass
class _Batch:
    sources: list[int] = field(default_factory=list)
    """Index in `slots` of each image, or -1 minus its index in `fresh`."""
    slots: list[int] = field(default_factory=list)
    """Slots of the hits."""
    fresh: list[HashedImage] = field(default_factory=list)
    """Distinct images that are not cached."""
    words: list[np.ndarray] = field(default_factory=list)
    """Bytes of the images in `fresh`."""
    numbers: dict[ImageKey, list[int]] = field(default_factory=dict)
    """Indices in `fresh` by key."""


def _check_count(n_images: int, vectors: Tensor) -> None:
    if len(vectors) != n_images:
        raise ValueError(f"There must be {n_images} vectors, one for each image. Received {len(vectors)}.")
