"""New stores from the frames of existing stores.

`subsample`       an equal number of frames from each store
`concatenate`     all frames of the stores
`shuffle_pixels`  the frames with their pixels in random order
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore

__all__ = ["concatenate", "shuffle_pixels", "subsample"]

CHUNK = 256  # frames that are shuffled together


def subsample(stores: Sequence[FrameStore], n: int, folder: Path, seed: int) -> FrameStore:
    """Write `n` frames to a new store at `folder`, an equal number from each of `stores`.

    The frames are of whole episodes in random order; the last episode of each store is cut.

    Raises:
        ValueError: a store has too few frames.
    """
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        for number, store in enumerate(stores):
            left = n // len(stores) + (number < n % len(stores))
            if store.n_frames < left:
                raise ValueError(
                    f"`n` must be at most {store.n_frames * len(stores)}: {store.folder} has "
                    f"{store.n_frames} frames and must provide {left}. Received {n}."
                )
            for index in rng.permutation(store.n_episodes):
                frames = np.asarray(store.episode(int(index))[:left])
                if len(frames):
                    writer.add_episode(frames)
                left -= len(frames)
    return writer.store


def concatenate(stores: Sequence[FrameStore], folder: Path) -> FrameStore:
    """Write all frames of `stores`, one store after the other, to a new store at `folder`."""
    with FrameWriter(folder) as writer:
        for store in stores:
            for index in range(store.n_episodes):
                writer.add_episode(np.asarray(store.episode(index)))
    return writer.store


def shuffle_pixels(store: FrameStore, folder: Path, seed: int) -> FrameStore:
    """Write the frames of `store` with the pixels of each in its own random order.

    The new store has the same colors and no shapes.
    """
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        for index in range(store.n_episodes):
            episode = store.episode(index)
            for first in range(0, len(episode), CHUNK):
                frames = np.asarray(episode[first : first + CHUNK])
                flat = frames.reshape(len(frames), -1, frames.shape[-1])
                order = rng.random(flat.shape[:2]).argsort(1)
                writer.extend(np.take_along_axis(flat, order[:, :, None], 1).reshape(frames.shape))
            writer.end_episode()
    return writer.store
