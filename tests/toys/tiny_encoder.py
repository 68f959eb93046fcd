"""A small encoder with batch statistics and dropout, and frames for it."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from rlpriors.encoders import EncoderSpec, ImageEncoder
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.types import Features

SPEC = EncoderSpec(
    name="tiny", source="network", model_id="nature-cnn", license="mit", input_size=(40, 40), resize="squash"
)
FRAMES = np.random.default_rng(0).integers(0, 256, (7, 50, 45, 3), dtype=np.uint8)


class TinyBackbone(Backbone):
    """A convolution with batch statistics, which a frozen encoder must not change."""

    def __init__(self) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(3, 6, 8, stride=8)
        self.norm = nn.BatchNorm2d(6)
        self.drop = nn.Dropout(0.5)
        self.batches: list[int] = []

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        self.batches.append(len(x))
        maps = self.drop(self.norm(self.convolution(x)))
        return Features(maps.mean((2, 3)), maps.flatten(2).mT, maps)


def tiny_encoder(**options: Any) -> ImageEncoder:
    torch.manual_seed(0)
    return ImageEncoder(SPEC, TinyBackbone(), **{"device": "cpu", **options})
