"""Segmentation networks: an encoder and a head over its feature maps.

`Segmenter`  encoder and head in one module
`predict`    predicted masks of frames
"""

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn

from rlpriors.arguments import check_arguments
from rlpriors.encoders.backbones.weights import seeded_init
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.evaluation.segmentation.metrics import IGNORED
from rlpriors.networks.segmentation import build_head
from rlpriors.types import Features

__all__ = ["Segmenter", "predict"]

CHUNK = 256
"""Number of frames in one batch of encoding or prediction."""


class Segmenter(nn.Module):
    """Encoder, per-channel scaling of its feature maps, and a segmentation head.

    Until `standardize` is called, maps are not scaled.  `seed` draws the head's weights; `encoder` is not
    copied.  A map is stretched over the whole frame.  This is exact for vision transformers and padded
    convolutions; the positions of nature-cnn and atari-cnn, which do not pad, lie nearer to the center.

    Raises:
        ValueError: the encoder has no maps or reads clips, the head is unknown, or `n_classes` is out of
            bounds.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> segmenter = Segmenter(encoder, n_classes=3)
        >>> segmenter(np.zeros((2, 48, 40, 3), np.uint8)).shape
        torch.Size([2, 3, 48, 40])
    """

    shift: Float[Tensor, "dim 1 1"]
    scale: Float[Tensor, "dim 1 1"]

    @check_arguments
    def __init__(self, encoder: ImageEncoder, n_classes: int, head: str = "linear", *, seed: int = 0) -> None:
        super().__init__()
        if not 2 <= n_classes <= IGNORED:
            raise ValueError(f"`n_classes` must be in 2..{IGNORED}. Received {n_classes}.")
        dim = _dim(encoder)
        self.encoder, self.n_classes = encoder, n_classes
        with seeded_init(seed):
            self.head = build_head(head, dim, n_classes).to(encoder.device)
        self.register_buffer("shift", torch.zeros(dim, 1, 1, device=encoder.device))
        self.register_buffer("scale", torch.ones(dim, 1, 1, device=encoder.device))

    def forward(self, frames: np.ndarray | Tensor) -> Float[Tensor, "batch classes height width"]:
        """Compute the logits of each pixel, in the frames' own size; `Preprocess` lists the frame formats."""
        checked = self.encoder.preprocess.check(frames)
        return self.decode(self.maps(checked), (checked.shape[1], checked.shape[2]))

    def maps(self, frames: np.ndarray | Tensor) -> Float[Tensor, "batch dim rows columns"]:
        """Compute the encoder's unscaled feature maps."""
        features: Features = self.encoder(self.encoder.preprocess(frames))
        assert features.maps is not None  # checked in __init__
        return features.maps

    def decode(
        self, maps: Float[Tensor, "batch dim rows columns"], size: tuple[int, int]
    ) -> Float[Tensor, "batch classes height width"]:
        """Compute logits of `size` from the result of `maps`."""
        logits: Tensor = self.head((maps - self.shift) * self.scale, size)
        return logits

    def standardize(self, maps: Float[Tensor, "frames dim rows columns"]) -> None:
        """Scale each channel to mean 0 and standard deviation 1 over these maps.

        One learning rate then serves encoders of any scale.  Constant channels keep their scale.
        """
        mean = maps.mean((0, 2, 3), dtype=torch.float64)
        squares = ((part.double() - mean[:, None, None]).square() for part in maps.split(CHUNK))
        spread = torch.stack([part.sum((0, 2, 3)) for part in squares]).sum(0)
        std = (spread / (maps.numel() // maps.shape[1])).sqrt()
        # Variation below the resolution of float32 is rounding, not information.
        constant = std <= 1e-6 * mean.abs()
        self.shift.copy_(mean[:, None, None])
        self.scale.copy_((1 / torch.where(constant, 1.0, std))[:, None, None])


def predict(
    segmenter: Segmenter, frames: UInt8[np.ndarray, "frames height width channels"]
) -> UInt8[np.ndarray, "frames height width"]:
    """Predict the most probable class of each pixel.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> encoder = load_encoder("nature-cnn", weights="none", input_size=(36, 36), device="cpu")
        >>> predict(Segmenter(encoder, n_classes=3), np.zeros((2, 36, 36, 3), np.uint8)).shape
        (2, 36, 36)
    """
    mode = segmenter.training
    segmenter.eval()
    try:
        with torch.inference_mode():
            chunks = [
                segmenter(np.array(frames[first : first + CHUNK])).argmax(1).to(torch.uint8).cpu().numpy()
                for first in range(0, len(frames), CHUNK)
            ]
    finally:
        segmenter.train(mode)
    return np.concatenate(chunks) if chunks else np.zeros(frames.shape[:3], np.uint8)


def _dim(encoder: ImageEncoder) -> int:
    """Return the number of map channels, measured on a black image."""
    spec = encoder.spec
    if spec.frames > 1:
        raise ValueError(
            f"`encoder` must read single frames. Received {spec.name!r}, which reads clips of {spec.frames}."
        )
    mode = encoder.training
    with torch.no_grad():
        maps = encoder.eval()(torch.zeros(1, spec.channels, *spec.input_size, device=encoder.device)).maps
    encoder.train(mode)
    if maps is None:
        raise ValueError(
            f"`encoder` must have feature maps. Received {spec.name!r} without; use a convolutional network "
            "or a vision transformer."
        )
    return int(maps.shape[1])
