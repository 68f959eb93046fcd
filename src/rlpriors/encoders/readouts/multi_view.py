"""Base class of readouts that encode several images per frame.

`MultiViewReadout`   pools every view with an inner readout and concatenates the results
"""

from typing import Any

from jaxtyping import Float, Int
from torch import Tensor

from rlpriors.encoders.readouts.base import Frames, ImageViews, Readout
from rlpriors.encoders.readouts.pooling import ClassToken
from rlpriors.types import Features

__all__ = ["MultiViewReadout"]


class MultiViewReadout(Readout):
    """Base class of readouts with several views per frame, pooled by `inner` and concatenated.

    A subclass defines `make_views`.

    Raises:
        ValueError: `inner` itself has several views per frame.

    Example:
        >>> import torch
        >>> class Twice(MultiViewReadout):
        ...     label, views_per_frame = "twice", 2
        ...     def make_views(self, frames, previous=None):
        ...         rows = torch.arange(len(frames))
        ...         return ImageViews((frames,), torch.stack([rows, rows], 1), torch.zeros_like(rows))
        >>> twice = Twice()
        >>> twice.combine_views(torch.ones(3, 8), twice.make_views(torch.zeros(3, 4, 4, 1)).indices).shape
        torch.Size([3, 16])
    """

    def __init__(self, inner: Readout | None = None) -> None:
        super().__init__()
        self.inner = ClassToken() if inner is None else inner
        if self.inner.views_per_frame > 1 or self.inner.needs_previous:
            raise ValueError(
                f"`inner` must read one image, as 'mean' or 'grid(2)' do. Received {self.inner.name!r}."
            )
        self.trainable = self.inner.trainable

    def inner_argument(self) -> tuple[Any, ...]:
        """Return `inner` as an argument of the specification; empty if it is "cls"."""
        return () if isinstance(self.inner, ClassToken) else (self.inner,)

    def missing_features(self, features: Features) -> str | None:
        return self.inner.missing_features(features)

    def build_weights(self, features: Features, seed: int) -> None:
        self.inner.build(features, seed)

    def pool(self, features: Features) -> Tensor:
        return self.inner.pool(features)

    def make_views(
        self,
        frames: Frames,
        previous: Frames | None = None,
    ) -> ImageViews:
        raise NotImplementedError(f"{type(self).__name__} must define `make_views`.")

    def combine_views(
        self, vectors: Float[Tensor, "images *out"], indices: Int[Tensor, "batch views"]
    ) -> Float[Tensor, "batch joined"]:
        return vectors[indices.to(vectors.device)].flatten(1)
