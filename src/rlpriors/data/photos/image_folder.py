"""Photographs of any size as frames of one size, with masks.

`write_images`   images and masks in a new `FrameStore`
`random_subset`  random items of a sequence
`IGNORE_INDEX`   mask value of ignored pixels
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from jaxtyping import UInt8

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore
from rlpriors.extras import missing_extra

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["IGNORE_INDEX", "random_subset", "write_images"]

IGNORE_INDEX = 255
"""Mask value of pixels that are ignored in losses and scores."""

Item = TypeVar("Item")
UNREADABLE = (OSError, SyntaxError, ValueError)  # errors of the image formats for truncated or damaged files


def write_images(
    paths: Sequence[Path],
    folder: str | Path,
    size: tuple[int, int],
    masks: Sequence[Path] | None = None,
    *,
    mask_values: Mapping[int, int] | None = None,
) -> FrameStore:
    """Write the images at `paths` to a new store at `folder`: RGB, uint8 [N, height, width, 3].

    Each image is an episode of one frame.

    Args:
        paths: paths of the images.
        folder: folder of the store.
        size: height and width of a frame.  An image is cropped at its center to these proportions and resized
            (bilinear, antialiased).
        masks: paths of the masks, images of one number for each pixel.  They are cropped in the same way,
            resized by nearest neighbor, and stored as the array `mask`, uint8 [N, height, width].
        mask_values: class of each number of a mask; other numbers raise an error.  None stores the numbers.

    Raises:
        ValueError: there is no image, an image is unreadable (the message has its path), a mask has another
            size than its image or a number without a class, or `folder` exists.
    """
    if not paths:
        raise ValueError("`paths` must contain at least one image. Received none.")
    if masks is not None and len(masks) != len(paths):
        raise ValueError(
            f"`masks` must have one path for each of {len(paths)} images. Received {len(masks)}."
        )
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


def random_subset(items: Sequence[Item], n: int | None, seed: int, what: str = "items") -> list[Item]:
    """Return `n` of `items` in random order by `seed`, or all items in their own order for None.

    A smaller subset is a prefix of a larger one: the 8 items of n = 8 are the first 8 of n = 16.  `what`
    names the items in the error.

    Raises:
        ValueError: `n` is below 1 or above the number of items.
    """
    if n is None:
        return list(items)
    if not 1 <= n <= len(items):
        raise ValueError(f"`n` must be in 1..{len(items)}, the number of {what}. Received {n}.")
    return [items[index] for index in np.random.default_rng(seed).permutation(len(items))[:n]]


def _frame(path: Path, size: tuple[int, int]) -> tuple[UInt8[np.ndarray, "height width 3"], tuple[int, int]]:
    """Return the frame, and the width and height of its image."""
    from PIL import Image, ImageOps  # an extra, needed for photographs only

    with _opened(path) as image:
        shape = image.size
        try:
            # A JPEG is decoded at about twice the size of the frame, which saves most of the time.
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
            f"`mask_values` must have a class for each number of a mask, and has {sorted(values)}. {path} "
            f"contains {unknown}."
        )
    table = np.zeros(256, np.uint8)
    table[list(values)] = list(values.values())
    return np.asarray(table[mask])


def _opened(path: Path) -> "Image":
    try:
        from PIL import Image
    except ImportError as error:
        raise ValueError(missing_extra("`paths` need Pillow", "vision")) from error
    try:
        return Image.open(path)
    except UNREADABLE as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Path, error: Exception) -> ValueError:
    return ValueError(
        f"`paths` must be readable images. {path} is not ({type(error).__name__}: {error}); remove it, or "
        "download it again."
    )
