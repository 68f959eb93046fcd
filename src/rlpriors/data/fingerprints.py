"""Fingerprints of data sets, to notice that a resumed run received others.

`store_fingerprint`   fingerprint of the observations, actions and ends of an `EpisodeStore`
`frames_fingerprint`  fingerprint of a `FrameStore`, from a sample of its frames
"""

from hashlib import sha256

import numpy as np

from rlpriors.data.episode_arrays import EpisodeArrays
from rlpriors.data.frames import FrameStore

__all__ = ["frames_fingerprint", "store_fingerprint"]

N_FRAMES = 256  # that are read: a store may be larger than memory


def store_fingerprint(store: EpisodeArrays) -> str:
    """Return 32 hexadecimal digits for all that a window can contain; rewards are not included.

    Example:
        >>> from dataclasses import replace
        >>> from rlpriors.data.episodes import Episode, EpisodeStore
        >>> episode = Episode(np.zeros((3, 1)), np.ones((2, 1)), *np.zeros((3, 2)))
        >>> store = EpisodeStore.from_episodes([episode])
        >>> store_fingerprint(store) == store_fingerprint(replace(store, rew=np.ones(2)))
        True
        >>> store_fingerprint(store) == store_fingerprint(replace(store, obs=store.obs + 1))
        False
    """
    return _digest(
        obs=store.obs,
        act=store.act,
        terminated=store.terminated,
        truncated=store.truncated,
        lengths=store.lengths,
    )


def frames_fingerprint(store: FrameStore) -> str:
    """Return 32 hexadecimal digits for lengths, further arrays and 256 frames at equal distances."""
    rows = np.unique(np.linspace(0, store.n_frames - 1, min(N_FRAMES, store.n_frames)).astype(np.int64))
    arrays = {name: np.asarray(array) for name, array in sorted(store.arrays.items())}
    return _digest(
        frames=np.asarray(store.frames[rows]),
        shape=np.array(store.frames.shape),
        lengths=store.lengths,
        **arrays,
    )


def _digest(**arrays: np.ndarray) -> str:
    digest = sha256()
    for name, array in arrays.items():
        digest.update(f"{name} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:32]
