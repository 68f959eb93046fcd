"""Photographs of all sizes as frames of one size, with masks where there are any.

`write_images`  images, and masks beside them, into a `FrameStore`
`drawn`         some of several things, in a random order
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import UInt8

from rlpriors.data.frames import FrameStore, FrameWriter

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["NOT_JUDGED", "drawn", "write_images"]

NOT_JUDGED = 255
"""What a mask says of pixels that count neither in a loss nor in a score."""

Item = TypeVar("Item")
UNREADABLE = (OSError, SyntaxError, ValueError)  # each format's way to say that a file is cut or damaged


def write_images(
    paths: Sequence[Path],
    folder: str | Path,
    size: tuple[int, int],
    masks: Sequence[Path] | None = None,
    *,
    mask_values: Mapping[int, int] | None = None,
) -> FrameStore:
    """Write the images at `paths` to a new store at `folder`: RGB, uint8 [N, height, width, 3].

    The middle of each is cut to the proportions of `size` (height, width), as much of it as there is, and
    resized (bilinear, antialiased).  `masks` are images of one number per pixel, cut alike and resized by
    the nearest pixel; they become the array `mask`, uint8 [N, height, width].  `mask_values` gives the
    class of each of their numbers, and then no other number may occur.  Each image is an episode of its
    own: none follows from another.

    Raises:
        ValueError: there is no image, one cannot be read (the message has its path), a mask has another
            size than its image or a number without a class, or `folder` exists.
    """
    if not paths:
        raise ValueError("`paths` must name at least one image. Received none.")
    if masks is not None and len(masks) != len(paths):
        raise ValueError(f"`masks` must be one for each of {len(paths)} images. Received {len(masks)}.")
    if len(size) != 2 or min(size) < 1:
        raise ValueError(f"`size` must be (height, width), at least 1. Received {size}.")
    if mask_values is not None and not {*mask_values, *mask_values.values()} <= set(range(256)):
        raise ValueError(f"`mask_values` must be numbers in 0..255. Received {dict(mask_values)}.")
    with FrameWriter(folder) as writer:
        for number, path in enumerate(paths):
            frame, shape = _frame(path, size)
            if masks is None:
                writer.add_episode(frame[None])
            else:
                writer.add_episode(frame[None], mask=_mask(masks[number], size, shape, mask_values)[None])
    return writer.store


def drawn(items: Sequence[Item], n: int | None, seed: int, what: str = "items") -> list[Item]:
    """`n` of `items` in a random order that follows from `seed`, or all in their own order for None.

    More of them begin with the fewer: those of n = 8 are the first 8 of n = 16.

    Raises:
        ValueError: `n` is below 1 or above what there is.
    """
    if n is None:
        return list(items)
    if not 1 <= n <= len(items):
        raise ValueError(f"`n` must be in 1..{len(items)}, the number of {what}. Received {n}.")
    return [items[index] for index in np.random.default_rng(seed).permutation(len(items))[:n]]


def _frame(path: Path, size: tuple[int, int]) -> tuple[UInt8[np.ndarray, "height width 3"], tuple[int, int]]:
    """The frame, and width and height of the image that it was cut from."""
    from PIL import Image, ImageOps  # an extra, which only pictures need

    with _opened(path) as image:
        shape = image.size
        try:
            # A JPEG is decoded at about twice the size that is wanted, which saves most of the time.
            image.draft("RGB", (2 * size[1], 2 * size[0]))
            rgb = image.convert("RGBA" if "transparency" in image.info else "RGB").convert("RGB")
        except UNREADABLE as error:
            raise _unreadable(path, error) from error
    return np.array(ImageOps.fit(rgb, (size[1], size[0]), Image.Resampling.BILINEAR)), shape


def _mask(
    path: Path, size: tuple[int, int], shape: tuple[int, int], values: Mapping[int, int] | None
) -> UInt8[np.ndarray, "height width"]:
    from PIL import Image, ImageOps

    with _opened(path) as image:
        if image.mode not in ("L", "P", "1"):
            raise ValueError(f"A mask must have one number per pixel. {path} is {image.mode}.")
        if image.size != shape:
            raise ValueError(f"A mask must have its image's size, {shape}. {path} has {image.size}.")
        try:
            mask = np.array(ImageOps.fit(image, (size[1], size[0]), Image.Resampling.NEAREST), np.uint8)
        except UNREADABLE as error:
            raise _unreadable(path, error) from error
    if values is None:
        return mask
    unknown = sorted(set(np.unique(mask).tolist()) - values.keys())
    if unknown:
        raise ValueError(
            f"`mask_values` must give a class to every number of a mask. {path} holds {unknown}; known are "
            f"{sorted(values)}."
        )
    table = np.zeros(256, np.uint8)
    table[list(values)] = list(values.values())
    return np.asarray(table[mask])


def _opened(path: Path) -> "Image":
    try:
        from PIL import Image
    except ImportError as error:
        raise ValueError('`paths` need Pillow: pip install "rlpriors[vision]".') from error
    try:
        return Image.open(path)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"`paths` must be images that can be read. {path} cannot ({type(error).__name__}: {error}); take it "
        "out, or get it again."
    )
