"""Encoders of the agents in the control benchmark.

`OBSERVATIONS`  loaders of the encoders by the name of the observation, for a size of the input
`make_encoder`  encoder with its scale fitted to frames
`Pixels`        network that returns its downsampled input
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from rlpriors.encoders import Backbone, EncoderSpec, ImageEncoder, load_encoder
from rlpriors.types import Features

__all__ = ["OBSERVATIONS", "Pixels", "make_encoder"]

PIXELS = EncoderSpec(
    name="pixels",
    source="network",
    model_id="pixels",
    license="none",
    input_size=(20, 20),
    interpolation="bilinear",
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
)
CENTERED_PIXELS = replace(PIXELS, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))
"""Pixels in [-1, 1].  Those that hardly vary in the frames of the scale would become large in others."""
SCALED_LINES = "lines>sign-projection(512)>scale"


class Pixels(Backbone):
    """A network that returns its input, the downsampled image, as one vector."""

    def forward(self, x: Float[Tensor, "batch channels height width"]) -> Features:
        return Features(x.flatten(1), None, None)


def _lite0(size: int) -> ImageEncoder:
    options: dict[str, Any] = {"stride": 8, "readout": SCALED_LINES, "backend": "auto"}
    return load_encoder("efficientnet-lite0", input_size=(size, size), device="cpu", **options)


OBSERVATIONS: dict[str, Callable[[int], ImageEncoder]] = {
    "pixels": lambda size: ImageEncoder(PIXELS, Pixels(), "cls>scale", device="cpu"),
    "pixels-unscaled": lambda size: ImageEncoder(CENTERED_PIXELS, Pixels(), "cls", device="cpu"),
    "random-cnn": lambda size: load_encoder(
        "nature-cnn", weights="none", input_size=(size, size), readout="cls>scale", device="cpu"
    ),
    "efficientnet-lite0": _lite0,
    "contrast-filters": lambda size: load_encoder(
        "contrast-filters", weights="none", input_size=(size, size), readout=SCALED_LINES, device="cpu"
    ),
    "rlpriors/atari-filters": lambda size: load_encoder(
        "rlpriors/atari-filters", readout=SCALED_LINES, device="cpu"
    ),
}


def make_encoder(name: str, frames: np.ndarray, size: int) -> ImageEncoder:
    """Return the encoder of an observation; the scale of its features, if any, is fitted to `frames`."""
    encoder = OBSERVATIONS[name](size)
    readout = encoder.readout.name
    if not readout.endswith(">scale"):
        return encoder
    vectors = encoder.set_readout(readout.removesuffix(">scale")).encode(frames)
    scale: Any = encoder.set_readout(readout).readout.transforms[-1]
    scale.fit(vectors)
    return encoder
