"""Frames one step earlier, for readouts of motion.

`PreviousFrames`  latest frame of each environment, and the previous frame of each new one
"""

from collections.abc import Sequence
from typing import Any

from jaxtyping import Bool, Int, Shaped

from rlpriors.wrappers.arrays import Array, concatenate, where, zeros

__all__ = ["PreviousFrames"]

Images = Shaped[Array, "_batch _time _height _width _channels"]


class PreviousFrames:
    """Latest frame of each of `n_envs` environments, for each of several cameras.

    Images are numpy arrays, or tensors on one device.

    Example:
        >>> import numpy as np
        >>> previous, both = PreviousFrames(n_envs=2), np.arange(2)
        >>> def images(*values):
        ...     return [np.array(values, np.uint8).reshape(2, 1, 1, 1, 1)]
        >>> previous.read(images(1, 2), both, np.array([True, True]))[0].ravel()
        array([1, 2], dtype=uint8)
        >>> previous.update(images(1, 2), both)
        >>> previous.read(images(3, 4), both, np.array([False, True]))[0].ravel()
        array([1, 4], dtype=uint8)
    """

    def __init__(self, n_envs: int) -> None:
        self.n_envs = n_envs
        self._latest: list[Any] = []

    def read(
        self, batches: Sequence[Images], env_ids: Int[Array, " batch"], first: Bool[Array, " batch"]
    ) -> list[Any]:
        """Return the previous frame of each frame, camera by camera; an episode's first frame is its own."""
        if not self._latest:
            self._latest = [zeros([self.n_envs, 1, *images.shape[2:]], like=images) for images in batches]
        previous = []
        for images, latest in zip(batches, self._latest, strict=True):
            if images.shape[1] == 1:
                before = where(first[:, None, None, None, None], images, latest[env_ids])
            else:  # in a stack from the environment the oldest frame has no previous one
                before = images[:, :1]
            previous.append(concatenate([before, images[:, :-1]], 1))
        return previous

    def update(self, batches: Sequence[Images], env_ids: Int[Array, " batch"]) -> None:
        """Store the latest frames of these environments, once `read` was called."""
        for latest, images in zip(self._latest, batches, strict=False):
            latest[env_ids] = images[:, -1:]
