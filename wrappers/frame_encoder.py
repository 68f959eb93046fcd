"""Frames of several cameras and environments through one encoder, at once.

`FrameEncoder`  one forward pass for all of them, with or without a cache
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from rlpriors.encoders.dataset.cache import CacheStats, VectorCache
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.readouts.base import Readout, Views
from rlpriors.wrappers.encode_options import Cache

__all__ = ["FrameEncoder"]

# A cache of no given size keeps at most so many images, and so many bytes of vectors.  Of Atari's
# frames that is 100 MB, of their crops (1 + 4 + 16 a frame) about 230 MB.
ENTRIES = {"frame": 1024, "crop": 16384}
SLAB = 2**28

Frames = Shaped[np.ndarray, "_batch ... _height _width _channels"]


class FrameEncoder:
    """Encodes batches of frames, each of its own size, in one forward pass.

    Gray frames become three equal colors for an encoder that sees colors.  Encodings are ordinary
    tensors on the encoder's device; those from the cache are what the encoder once made of the very
    same bytes.

    Raises:
        ValueError: the cache does not suit the readout.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encode = FrameEncoder(load_encoder("nature-cnn", weights="none", device="cpu"), cache="frame")
        >>> color, gray = np.zeros((2, 84, 84, 3), np.uint8), np.zeros((5, 64, 64, 1), np.uint8)
        >>> [tuple(encoded.shape) for encoded in encode([color, gray])]
        [(2, 512), (5, 512)]
        >>> encode.stats
        CacheStats(hits=5, misses=2, evictions=0)
    """

    def __init__(self, encoder: ImageEncoder, cache: Cache = None) -> None:
        self.encoder = encoder
        readout = encoder.readout
        self._plain = type(readout).views is Readout.views  # a frame is its only view
        self._frames: VectorCache | None = None
        self._crops: VectorCache | None = None
        if cache is None:
            return
        kind = cache if isinstance(cache, str) else "frame" if self._plain else "crop"
        if kind == "frame" and readout.needs_previous:
            raise ValueError(
                f'`cache` must be "crop" for the readout {readout.name!r}, for which a frame alone does not '
                f"decide what is encoded. Received {cache!r}."
            )
        size = 4 * prod(encoder.output_shape) // (readout.views_per_frame if kind == "crop" else 1)
        room = max(1, min(ENTRIES[kind], SLAB // size)) if isinstance(cache, str) else cache
        if kind == "frame" or self._plain:
            self._frames = VectorCache(room)
        else:
            self._crops = VectorCache(room)

    @property
    def stats(self) -> CacheStats | None:
        """What the cache has saved so far; None without one."""
        cache = self._crops if self._frames is None else self._frames  # an empty cache is falsy
        return None if cache is None else cache.stats

    @torch.no_grad()
    def __call__(
        self, batches: Sequence[Frames], previous: Sequence[Frames] | None = None
    ) -> list[Float[Tensor, "_ *out"]]:
        """One encoding for each frame, batch by batch; `previous` are the frames one step earlier."""
        sizes: dict[Any, list[int]] = {}
        for number, batch in enumerate(batches):
            sizes.setdefault((batch.shape[1:], batch.dtype), []).append(number)
        groups = list(sizes.values())
        parts = [_joined(batches, group) for group in groups]
        if self._frames is not None:
            encoded = self._frames.encode(parts, self._encode)
        else:
            before = None if previous is None else [_joined(previous, group) for group in groups]
            encoded = self._encode(parts, before)
        order = [number for group in groups for number in group]
        pieces = encoded.split([len(batches[number]) for number in order])
        return [pieces[order.index(number)] for number in range(len(batches))]

    def _encode(self, parts: list[Tensor], previous: list[Tensor] | None = None) -> Tensor:
        before: Sequence[Tensor | None] = [None] * len(parts) if previous is None else previous
        views = [self._views(*frames) for frames in zip(parts, before, strict=True)]
        images = [image for view in views for image in view.parts]
        vectors = self._vectors(images) if self._crops is None else self._crops.encode(images, self._vectors)
        pieces = vectors.split([sum(len(image) for image in view.parts) for view in views])
        join = self.encoder.readout.join
        return torch.cat([join(piece, view.order) for piece, view in zip(pieces, views, strict=True)])

    def _views(self, frames: Tensor, previous: Tensor | None) -> Views:
        if self._plain:
            rows = torch.arange(len(frames))
            return Views((frames,), rows[:, None], torch.zeros_like(rows))
        if self._crops is None:
            device = self.encoder.device
            return self.encoder.views(frames.to(device), None if previous is None else previous.to(device))
        with torch.inference_mode():  # on the CPU: the cache compares bytes there
            return self.encoder.readout.views(frames, previous)

    def _vectors(self, images: list[Tensor]) -> Tensor:
        device, channels = self.encoder.device, self.encoder.spec.channels
        # Gray ones are repeated behind the way to the device, where that costs nothing.
        return self.encoder.vectors(
            [
                image.to(device).expand(*image.shape[:-1], channels) if image.shape[-1] == 1 else image
                for image in images
            ]
        )


def _joined(batches: Sequence[np.ndarray], numbers: Sequence[int]) -> Tensor:
    # A copy in any case: what an environment gives may change before the device has read it.
    return torch.from_numpy(np.concatenate([batches[number] for number in numbers]))
