"""Calibration of an encoder on frames of one's own environment.

`bn_calibrate`  replace the statistics of all BatchNorm layers by those of given frames
`quantize`      compute in 8-bit integers, with the ranges of activations on given frames
"""

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.openvino_backend import Calibration, import_nncf

__all__ = ["bn_calibrate", "quantize"]


def bn_calibrate(
    encoder: ImageEncoder, frames: np.ndarray | Tensor, *, batch_size: int = 64, seed: int = 0
) -> ImageEncoder:
    """Replace the statistics of the encoder's BatchNorm layers by those of `frames`; return the encoder.

    A network that was trained on photographs normalizes its activations by the mean and the variance
    of photographs.  Frames of games or simulators have others, and all later layers then receive inputs
    that they were not trained on.  Only means and variances change (AdaBN: Li et al. 2016, arXiv
    1603.04779); no weight is trained.  The network is changed in place.  The statistics count as weights:
    fingerprint and `state_version` change, and `save` stores them.

    Args:
        encoder: an encoder with BatchNorm layers.  With a readout of crops the statistics are those of
            the crops.
        frames: at least 2 frames, as for `encode`.  A few hundred from several episodes are enough.
        batch_size: least number of frames in a batch, at least 2; with fewer frames there is one batch.
            Frames are drawn in random order, and the statistics are averaged over batches of almost
            equal size.
        seed: random seed of the order.

    Raises:
        ValueError: the encoder has no BatchNorm layer or a readout of motion, there are fewer than 2
            frames, `batch_size` is below 2, or activations are not finite; the encoder then keeps its
            statistics.

    Example:
        >>> from rlpriors.encoders import load_encoder
        >>> frames = np.random.default_rng(0).integers(0, 255, (8, 32, 32, 3), np.uint8)
        >>> encoder = load_encoder("timm:test_resnet", weights="none", input_size=(32, 32), device="cpu")
        >>> before = encoder.fingerprint()
        >>> bn_calibrate(encoder, frames).fingerprint().difference(before)
        ('weights',)
    """
    layers = [
        layer
        for layer in encoder.backbone.modules()
        if isinstance(layer, _BatchNorm) and layer.running_mean is not None
    ]
    if not layers:
        raise ValueError(
            f"`encoder` must have BatchNorm layers. Received {encoder.spec.name!r}, which has none; "
            "there is nothing to calibrate."
        )
    if encoder.readout.needs_previous:
        raise ValueError(
            f"`encoder` must have a readout of whole frames or crops. Received {encoder.readout.name!r}, "
            'which needs previous frames; calibrate with `set_readout("cls")` first, then set it again.'
        )
    checked = encoder.preprocess.check(frames)
    if len(checked) < 2 or batch_size < 2:
        raise ValueError(
            "`frames` and `batch_size` must be at least 2, since a variance needs two values. Received "
            f"{len(checked)} frames and {batch_size}."
        )
    order = torch.randperm(len(checked), generator=torch.Generator().manual_seed(seed))
    batches = order.tensor_split(max(1, len(checked) // batch_size))
    before = {name: value.clone() for name, value in encoder.backbone.state_dict().items()}
    modes = [(layer.training, layer.momentum) for layer in layers]
    done = False
    try:
        for layer in layers:
            layer.reset_running_stats()
            layer.train()
            layer.momentum = None  # the average over all batches
        with torch.no_grad():
            for rows in batches:
                _observe(encoder, checked[rows.to(checked.device)])
        done = all(_is_finite(layer) for layer in layers)
    finally:
        for layer, (training, momentum) in zip(layers, modes, strict=True):
            layer.train(training)
            layer.momentum = momentum
        if not done:
            encoder.backbone.load_state_dict(before)
    if not done:
        raise ValueError(
            "`encoder` must have finite activations. Received NaN or infinity; its statistics are unchanged."
        )
    return encoder


def quantize(
    encoder: ImageEncoder, frames: np.ndarray | Tensor, *, n_images: int = 300, seed: int = 0
) -> ImageEncoder:
    """Let OpenVINO run the encoder's network in 8-bit integers, and return the encoder.

    Weights and activations are rounded to 8 bits (post-training quantization by NNCF).  The range of each
    activation is measured on images of `frames`.  The encoder's backend is "openvino" afterwards, and its
    fingerprint has a precision of its own, "int8" with a digest of these images: wrappers refuse data that
    was encoded in another one.  `save` writes the weights in 32 bits and not the ranges; quantize again after
    loading.  `set_backend` returns to 32 bits.

    Args:
        encoder: a frozen encoder in 32 bits, on the CPU.
        frames: frames of one's own environment, as for `encode`; a few hundred from several episodes.
        n_images: largest number of images that are drawn from them, at least 1.
        seed: random seed of the draw.

    Raises:
        ValueError: there are no frames, the encoder has a readout of motion or half precision, is trained or
            not on the CPU, or OpenVINO cannot convert its network; the encoder is then unchanged.
        ImportError: OpenVINO or NNCF is not installed (extra `int8`).

    Example:
        >>> import pytest
        >>> _ = pytest.importorskip("nncf")
        >>> from rlpriors.encoders import load_encoder
        >>> frames = np.random.default_rng(0).integers(0, 255, (8, 84, 84, 3), np.uint8)
        >>> encoder = load_encoder("nature-cnn", weights="none", device="cpu")
        >>> expected = encoder.encode(frames)
        >>> quantized = quantize(encoder, frames)
        >>> quantized.backend, quantized.fingerprint().precision[:5]
        ('openvino', 'int8-')
        >>> bool((quantized.encode(frames) - expected).abs().max() < 0.1 * expected.std())
        True
    """
    if n_images < 1:
        raise ValueError(f"`n_images` must be at least 1. Received {n_images}.")
    if encoder.readout.needs_previous:
        raise ValueError(
            f"`encoder` must have a readout of whole frames or crops. Received {encoder.readout.name!r}, "
            'which needs previous frames; quantize with `set_readout("cls")` first, then set it again.'
        )
    import_nncf()
    checked = encoder.preprocess.check(frames)
    if not len(checked):
        raise ValueError("`frames` must hold at least 1 frame. Received none.")
    chosen = torch.randperm(len(checked), generator=torch.Generator().manual_seed(seed))[:n_images]
    images = encoder.make_views(checked[chosen.to(checked.device)]).batches
    with torch.no_grad():
        pixels = torch.cat([encoder.preprocess.prepare(batch) for batch in images])[:n_images]
    return encoder.set_backend("openvino", Calibration(pixels.clone()))


def _observe(encoder: ImageEncoder, frames: Tensor) -> None:
    """Run the network in full precision on the images that the readout encodes."""
    images = encoder.make_views(frames).batches
    encoder.backbone(torch.cat([encoder.preprocess.prepare(batch) for batch in images]))


def _is_finite(layer: nn.Module) -> bool:
    return all(bool(value.isfinite().all()) for value in layer.buffers())
