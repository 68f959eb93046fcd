"""Frames of several stores as one, and frames without anything to see.

`gather`    some frames of each
`join`      all of them
`shuffle`   the same frames, their pixels in random order
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from rlpriors.data.frames import FrameStore, FrameWriter

__all__ = ["gather", "join", "shuffle"]

CHUNK = 256


def gather(stores: Sequence[FrameStore], n: int, folder: Path, seed: int) -> FrameStore:
    """`n` frames of `stores`, as many of each, in a new store at `folder`: whole episodes but the last.

    Raises:
        ValueError: one has not so many.
    """
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        for number, store in enumerate(stores):
            left = n // len(stores) + (number < n % len(stores))
            if store.n_frames < left:
                raise ValueError(f"`n` wants {left} frames of {store.folder}, which has {store.n_frames}.")
            for index in rng.permutation(store.n_episodes):
                frames = np.asarray(store.episode(int(index))[:left])
                if len(frames):
                    writer.add_episode(frames)
                left -= len(frames)
    return writer.store


def join(stores: Sequence[FrameStore], folder: Path) -> FrameStore:
    """All frames of `stores`, one after the other, in a new store at `folder`."""
    with FrameWriter(folder) as writer:
        for store in stores:
            for index in range(store.n_episodes):
                writer.add_episode(np.asarray(store.episode(index)))
    return writer.store


def shuffle(store: FrameStore, folder: Path, seed: int) -> FrameStore:
    """The same frames, the pixels of each in an order of its own: colors stay, and nothing else."""
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
