"""Features without correlations, for the layers that will read them.

`within_covariance`   how features vary within each of several worlds
`whiten`              folds into an encoder what makes its features white

A linear layer that learns by gradients learns fast along directions in which its inputs vary much, and
slowly along others.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from rlpriors.data.frames import FrameStore
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.networks.atari_cnn import AtariCNN

__all__ = ["whiten", "within_covariance"]

CHUNK = 256
"""Frames that are encoded at once."""


def within_covariance(
    features: Sequence[Float[np.ndarray, "_ dim"]],
) -> Float[np.ndarray, "dim dim"]:
    """The covariance of each world's features about their own mean, averaged over all frames.

    What tells worlds from each other is left out: it would outweigh all that happens in them.

    Example:
        >>> within_covariance([np.array([[0.0], [2.0]]), np.array([[100.0], [104.0]])])
        array([[2.5]])
    """
    apart = [world.astype(np.float64) - world.mean(0, dtype=np.float64) for world in features]
    return np.asarray(sum(world.T @ world for world in apart) / sum(map(len, apart)))


def whiten(
    encoder: ImageEncoder,
    stores: Sequence[FrameStore],
    *,
    sample: int = 500,
    shrink: float = 1e-3,
) -> None:
    """Make features uncorrelated and of variance 1 within each store, of mean 0 over all, by the last layer.

    Of all matrices that do so it is the symmetric one (ZCA: Kessy et al. 2018, arXiv 1512.00809), so that
    features stay as close to what they were as can be.  Nothing is added to what the encoder knows: what
    a linear layer could tell before it can tell now, and learns sooner.

    Args:
        encoder: an `atari-cnn`, which ends with a linear layer; changed in place.
        stores: frames of what it is for, a store for each world.
        sample: frames of each store, evenly spaced.
        shrink: this part of the mean variance is added to all, above 0: directions in which nothing
            varies are not blown up.

    Raises:
        ValueError: the encoder does not end with a linear layer, its features do not vary within any
            store or are not finite, or a number is out of its bounds.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frames import FrameWriter
        >>> from rlpriors.encoders import load_encoder
        >>> frames = np.random.default_rng(0).integers(0, 255, (40, 84, 84, 1), np.uint8)
        >>> with FrameWriter(tempfile.mkdtemp() + "/noise") as writer:
        ...     writer.add_episode(frames)
        >>> options = {"weights": "none", "input_size": (84, 84), "device": "cpu"}
        >>> encoder = load_encoder("atari-cnn", **options)
        >>> before = encoder.encode(frames).var(0).max()
        >>> whiten(encoder, [writer.store])
        >>> bool(before < 0.1 < encoder.encode(frames).var(0).max() < 1.1)
        True
    """
    if sample < 2 or not shrink > 0:
        raise ValueError(f"`sample` must be at least 2 and `shrink` above 0. Received {sample}, {shrink}.")
    network = getattr(encoder.backbone, "network", None)
    # Of the networks that the library builds it is the only one whose vector is a linear layer's output.
    if not isinstance(network, AtariCNN) or encoder.readout.name != "cls":
        raise ValueError(
            f"`encoder` must end with a linear layer: atari-cnn with readout 'cls'. Received "
            f"{encoder.spec.name!r} with readout {encoder.readout.name!r}."
        )
    linear = network.linear
    features = [_encoded(encoder, store, sample) for store in stores]
    mean = torch.from_numpy(np.concatenate(features).mean(0, dtype=np.float64)).to(linear.weight.device)
    covariance = within_covariance(features)
    if not np.isfinite(covariance).all() or not covariance.any():
        raise ValueError(
            f"Features of {encoder.spec.name!r} must be finite and vary within a store. Received "
            f"{'NaN or infinity' if covariance.any() else 'the same for all frames'}: look at the frames "
            "and at the encoder's weights."
        )
    variances, directions = np.linalg.eigh(covariance)
    scales = 1 / np.sqrt(np.maximum(variances, 0) + shrink * variances.mean())
    matrix = torch.from_numpy((directions * scales) @ directions.T).to(linear.weight.device)
    with torch.no_grad():
        linear.weight.copy_(matrix @ linear.weight.double())
        linear.bias.copy_(matrix @ (linear.bias.double() - mean))
    encoder.changes += 1


def _encoded(encoder: ImageEncoder, store: FrameStore, sample: int) -> Float[np.ndarray, "_ dim"]:
    rows = np.unique(np.linspace(0, store.n_frames - 1, min(sample, store.n_frames)).astype(int))
    chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    return np.concatenate([encoder.encode(np.array(store.frames[chunk])).cpu().numpy() for chunk in chunks])
