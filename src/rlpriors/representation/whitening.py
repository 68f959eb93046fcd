"""Whitening: decorrelation of an encoder's features by its last linear layer.

`whiten`                   fold a whitening matrix into the last layer of an encoder
`within_group_covariance`  covariance about group means, averaged over groups

A linear layer trained by gradients learns quickly along directions of large input variance and slowly
along others.
"""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from rlpriors.data.frames import FrameStore
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.networks.atari_cnn import AtariCNN

__all__ = ["whiten", "within_group_covariance"]

CHUNK = 256
"""Number of frames that are encoded at once."""


def within_group_covariance(
    features: Sequence[Float[np.ndarray, "_ dim"]],
) -> Float[np.ndarray, "dim dim"]:
    """Return the covariance of features about the mean of their group, averaged over all frames.

    Differences between group means are excluded: they would outweigh the variance within a group, such as
    one environment.

    Example:
        >>> within_group_covariance([np.array([[0.0], [2.0]]), np.array([[100.0], [104.0]])])
        array([[2.5]])
    """
    centered = [group.astype(np.float64) - group.mean(0, dtype=np.float64) for group in features]
    return np.asarray(sum(group.T @ group for group in centered) / sum(map(len, centered)))


def whiten(
    encoder: ImageEncoder,
    stores: Sequence[FrameStore],
    *,
    frames_per_store: int = 500,
    shrinkage: float = 1e-3,
) -> None:
    """Make features uncorrelated with variance 1 within each store, and of mean 0 over all stores.

    The whitening matrix is the symmetric one (ZCA: Kessy et al. 2018, arXiv 1512.00809), which changes
    features least.  No information is added: a linear layer can represent the same functions of the
    features as before, and learns them faster.

    Args:
        encoder: an `atari-cnn`, which ends with a linear layer; changed in place.
        stores: frames of the encoder's environments, one store for each environment.
        frames_per_store: number of evenly spaced frames of each store, at least 2.
        shrinkage: fraction of the mean variance that is added to all variances, above 0; it limits the
            gain of directions without variance.

    Raises:
        ValueError: the encoder does not end with a linear layer, its features do not vary within any
            store or are not finite, or a number is out of its bounds.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frame_writer import FrameWriter
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
    if frames_per_store < 2:
        raise ValueError(f"`frames_per_store` must be at least 2. Received {frames_per_store}.")
    if not shrinkage > 0:
        raise ValueError(f"`shrinkage` must be above 0. Received {shrinkage}.")
    network = getattr(encoder.backbone, "network", None)
    # The only network of the library whose vector is a linear layer's output.
    if not isinstance(network, AtariCNN) or encoder.readout.name != "cls":
        raise ValueError(
            f"`encoder` must end with a linear layer: atari-cnn with readout 'cls'. Received "
            f"{encoder.spec.name!r} with readout {encoder.readout.name!r}."
        )
    linear = network.linear
    features = [_encode_evenly(encoder, store, frames_per_store) for store in stores]
    mean = torch.from_numpy(np.concatenate(features).mean(0, dtype=np.float64)).to(linear.weight.device)
    covariance = within_group_covariance(features)
    if not np.isfinite(covariance).all() or not covariance.any():
        raise ValueError(
            f"Features of {encoder.spec.name!r} must be finite and vary within a store. Received "
            f"{'NaN or infinity' if covariance.any() else 'the same for all frames'}; check the frames and "
            "the encoder's weights."
        )
    variances, directions = np.linalg.eigh(covariance)
    scales = 1 / np.sqrt(np.maximum(variances, 0) + shrinkage * variances.mean())
    matrix = torch.from_numpy((directions * scales) @ directions.T).to(linear.weight.device)
    with torch.no_grad():
        linear.weight.copy_(matrix @ linear.weight.double())
        linear.bias.copy_(matrix @ (linear.bias.double() - mean))
    encoder.state_version += 1


def _encode_evenly(encoder: ImageEncoder, store: FrameStore, n_frames: int) -> Float[np.ndarray, "_ dim"]:
    rows = np.unique(np.linspace(0, store.n_frames - 1, min(n_frames, store.n_frames)).astype(int))
    chunks = [rows[first : first + CHUNK] for first in range(0, len(rows), CHUNK)]
    return np.concatenate([encoder.encode(np.array(store.frames[chunk])).cpu().numpy() for chunk in chunks])
