"""Forward passes of bounded size, and the advice after a failed allocation."""

import pytest
import torch
from jaxtyping import Float
from tiny_encoder import FRAMES, SPEC, TinyBackbone
from torch import Tensor

from rlpriors.encoders import ImageEncoder
from rlpriors.types import Features


def test_out_of_memory_advises_chunks() -> None:
    class Hungry(TinyBackbone):
        def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
            if len(x) > 4:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
            return super().forward(x)

    with pytest.raises(
        MemoryError, match=r"cpu is out of memory with all images at once.*smaller `chunk_size`"
    ):
        ImageEncoder(SPEC, Hungry(), device="cpu").encode(FRAMES)
    with pytest.raises(MemoryError, match=r"with 6 images at once"):
        ImageEncoder(SPEC, Hungry(), device="cpu", chunk_size=6).encode(FRAMES)
    assert ImageEncoder(SPEC, Hungry(), device="cpu", chunk_size=4).encode(FRAMES).shape == (7, 6)


def test_other_failures_are_not_called_memory() -> None:
    class Broken(TinyBackbone):
        def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
            if len(x) > 1:
                raise RuntimeError("a bug")
            return super().forward(x)

    with pytest.raises(RuntimeError, match="a bug"):
        ImageEncoder(SPEC, Broken(), device="cpu").encode(FRAMES)
