"""Batched encoding of frames from several cameras and environments.

`FrameEncoder`  one forward pass for frames of any sizes, with an optional cache
"""

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped
from torch import Tensor

from rlpriors.encoders.dataset.cache import CacheStats, FeatureCache
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.readouts.base import ImageViews, Readout
from rlpriors.wrappers.arrays import Array
from rlpriors.wrappers.encode_options import Cache

__all__ = ["FrameEncoder"]

# Default bounds of a cache: the number of images, and the bytes of their vectors.  Atari frames then take
# 100 MB, their crops (1 + 4 + 16 per frame) about 230 MB.
CACHE_ENTRIES = {"frame": 1024, "crop": 16384}
CACHE_BYTES = 2**28

Frames = Shaped[Array, "_batch ... _height _width _channels"]


class FrameEncoder:
    """Encoder of several batches of frames, each of its own size, in one forward pass.

    Frames are numpy arrays, or tensors on the encoder's device.  Gray frames are repeated to three channels
    for an encoder of color images.  Encodings are tensors on the encoder's device.  A cached encoding is that
    of an earlier image with the same bytes.

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
        self._single_view = type(readout).make_views is Readout.make_views  # a frame is its only view
        self._frame_cache: FeatureCache | None = None
        self._crop_cache: FeatureCache | None = None
        if cache is None:
            return
        kind = cache if isinstance(cache, str) else "frame" if self._single_view else "crop"
        if kind == "frame" and readout.needs_previous:
            raise ValueError(
                f'`cache` must be "crop" for the readout {readout.name!r}, which also reads the previous '
                f"frame. Received {cache!r}."
            )
        size = 4 * prod(encoder.output_shape) // (readout.views_per_frame if kind == "crop" else 1)
        default_entries = max(1, min(CACHE_ENTRIES[kind], CACHE_BYTES // size))
        n_entries = default_entries if isinstance(cache, str) else cache
        if kind == "frame" or self._single_view:
            self._frame_cache = FeatureCache(n_entries)
        else:
            self._crop_cache = FeatureCache(n_entries)

    @property
    def stats(self) -> CacheStats | None:
        """Hits, misses and evictions of the cache; None without a cache."""
        cache = (
            self._crop_cache if self._frame_cache is None else self._frame_cache
        )  # an empty cache is falsy
        return None if cache is None else cache.stats

    @torch.no_grad()
    def __call__(
        self, batches: Sequence[Frames], previous: Sequence[Frames] | None = None
    ) -> list[Float[Tensor, "_ *out"]]:
        """Encode each frame, batch by batch; `previous` are the frames one step earlier."""
        by_size: dict[Any, list[int]] = {}
        for index, batch in enumerate(batches):
            by_size.setdefault((batch.shape[1:], batch.dtype), []).append(index)
        groups = list(by_size.values())
        frames = [_concatenate(batches, group) for group in groups]
        if self._frame_cache is not None:
            encoded = self._frame_cache.encode(frames, self._encode)
        else:
            before = None if previous is None else [_concatenate(previous, group) for group in groups]
            encoded = self._encode(frames, before)
        order = [index for group in groups for index in group]
        encodings = encoded.split([len(batches[index]) for index in order])
        return [encodings[order.index(index)] for index in range(len(batches))]

    def _encode(self, groups: list[Tensor], previous: list[Tensor] | None = None) -> Tensor:
        before: Sequence[Tensor | None] = [None] * len(groups) if previous is None else previous
        views = [self._make_views(*frames) for frames in zip(groups, before, strict=True)]
        images = [image for view in views for image in view.batches]
        if self._crop_cache is None:
            vectors = self._encode_images(images)
        else:
            vectors = self._crop_cache.encode(images, self._encode_images)
        per_group = vectors.split([sum(len(image) for image in view.batches) for view in views])
        combine = self.encoder.readout.combine_views
        return torch.cat([combine(v, view.indices) for v, view in zip(per_group, views, strict=True)])

    def _make_views(self, frames: Tensor, previous: Tensor | None) -> ImageViews:
        if self._single_view:
            rows = torch.arange(len(frames), device=frames.device)
            return ImageViews((frames,), rows[:, None], torch.zeros_like(rows))
        if self._crop_cache is None:
            device = self.encoder.device
            return self.encoder.make_views(
                frames.to(device), None if previous is None else previous.to(device)
            )
        with torch.inference_mode():  # on the CPU: the cache compares bytes there
            return self.encoder.readout.make_views(frames, previous)

    def _encode_images(self, images: list[Tensor]) -> Tensor:
        device, channels = self.encoder.device, self.encoder.spec.channels
        # Gray images are expanded after the transfer to the device, without a copy.
        return self.encoder.encode_images(
            [
                image.to(device).expand(*image.shape[:-1], channels) if image.shape[-1] == 1 else image
                for image in images
            ]
        )


def _concatenate(batches: Sequence[Any], indices: Sequence[int]) -> Tensor:
    chosen = [batches[index] for index in indices]
    if isinstance(chosen[0], Tensor):
        return torch.cat(chosen)
    # Always a copy: an environment may overwrite its array before the transfer to the device.
    return torch.from_numpy(np.concatenate(chosen))
