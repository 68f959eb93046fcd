"""Hashes of images, by which the feature cache finds them.

`hash_images`     64-bit hash of each row of bytes
`hash_batches`    images of several batches with their keys
`HashedImage`     bytes of an image and its key
`find_image`      search for an image among those with the same key
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

__all__ = ["HashedImage", "ImageKey", "find_image", "hash_batches", "hash_images"]

ImageKey = tuple[int, tuple[int, ...], int]
"""Hash, shape and position of an image."""


class HashedImage(NamedTuple):
    """Bytes of an image and the key that finds it."""

    key: ImageKey
    """Hash, shape and position of the image."""
    words: np.ndarray
    """Bytes of the image, padded to a multiple of 4."""


def hash_images(words: UInt8[np.ndarray, "images bytes"]) -> list[int]:
    """Return a 64-bit hash of each row: the sum of its 32-bit words times fixed random factors.

    Multilinear hashing (1202.4961, sec. 2): for random factors, two different rows have equal hashes
    with a probability of at most 2^-33.  The number of bytes must be divisible by 4.
    """
    # Faster than zlib.crc32 and hashlib, which hash one image per call.
    numbers = words.view(np.uint32)
    hashes: list[int] = np.einsum("nw,w->n", numbers, _factors(numbers.shape[1])).tolist()
    return hashes


def hash_batches(batches: Sequence[Tensor], positions: Tensor | None) -> list[list[HashedImage]]:
    """Hash the images of each batch; `positions` holds one number per image, 0 by default.

    Raises:
        TypeError: the images are not uint8.
        ValueError: `positions` does not match the number of images.
    """
    total = sum(len(batch) for batch in batches)
    all_positions = [0] * total if positions is None else positions.tolist()
    if len(all_positions) != total:
        raise ValueError(f"`positions` must be {total}, one for each image. Received {len(all_positions)}.")
    hashed, first = [], 0
    for batch in batches:
        if batch.dtype != torch.uint8:
            raise TypeError(
                f"A cache finds images by their bytes: they must be uint8. Received {batch.dtype}."
            )
        words = _words(batch)
        hashes = hash_images(words)
        shape = tuple(batch.shape[1:])
        keys = zip(hashes, all_positions[first : first + len(batch)], strict=True)
        hashed.append(
            [HashedImage((h, shape, position), row) for (h, position), row in zip(keys, words, strict=True)]
        )
        first += len(batch)
    return hashed


def find_image(
    image: HashedImage, numbers: dict[ImageKey, list[int]], words: Sequence[np.ndarray]
) -> int | None:
    """Return the number of the equal image among `numbers` with the same key; None if there is none.

    Two images of one hash share a key, so their bytes (`words` by number) are compared.
    """
    for number in numbers.get(image.key, ()):
        if np.array_equal(words[number], image.words):
            return number
    return None


def _words(batch: Tensor) -> UInt8[np.ndarray, "images bytes"]:
    rows = batch.detach().cpu().contiguous().reshape(len(batch), batch[:1].numel()).numpy()
    return np.pad(rows, ((0, 0), (0, -rows.shape[1] % 4))) if rows.shape[1] % 4 else rows


@lru_cache(maxsize=64)
def _factors(size: int) -> np.ndarray:
    return np.random.default_rng(12024961).integers(0, 2**64, size, dtype=np.uint64)
