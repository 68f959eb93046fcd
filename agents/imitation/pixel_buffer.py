"""Replay buffer of demonstrations stored as frames on disk.

`PixelBuffer`  buffer that samples stacks of frames with their actions
"""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Int, UInt8
from tianshou.data import Batch, ReplayBuffer

from rlpriors.data.frames import FrameStore
from rlpriors.spaces.actions import check_actions

__all__ = ["PixelBuffer"]


class PixelBuffer(ReplayBuffer):
    """Replay buffer over a `FrameStore`, which stores each frame once, independent of the stacks.

    A sample has `obs` [batch, stack, height, width, channels], oldest frame first (without the stack axis
    if `stack` is 1), and `act`.  At the beginning of an episode its first frame is repeated, as in
    `FrameStackObservation` with `padding_type="reset"`.

    A sample depends on `seed` and `draws` only, so a resumed run draws the same batches as an
    uninterrupted run.

    Args:
        store: episodes with the array `act`.
        stack: number of frames in an observation of the policy.
        seed: random seed of the samples.

    Raises:
        ValueError: the store has no actions, or no episode has a step.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frame_writer import FrameWriter
        >>> with FrameWriter(tempfile.mkdtemp() + "/walk") as writer:
        ...     writer.add_episode(np.arange(5, dtype=np.uint8)[:, None, None, None], act=np.arange(5))
        >>> batch, rows = PixelBuffer(writer.store, stack=3).sample(None)
        >>> batch.obs[:, :, 0, 0, 0].tolist(), batch.act.tolist()
        ([[0, 0, 0], [0, 0, 1], [0, 1, 2], [1, 2, 3]], [0, 1, 2, 3])
    """

    def __init__(self, store: FrameStore, stack: int = 1, *, seed: int = 0) -> None:
        super().__init__(size=1)
        if stack < 1:
            raise ValueError(f"`stack` must be at least 1. Received {stack}.")
        if "act" not in store.arrays:
            raise ValueError(
                f"`store` must contain the array `act`, the action at each frame. Received {store.folder} "
                f"with {sorted(store.arrays) or 'none'}; write the actions with the frames."
            )
        has_action = np.ones(store.n_frames, np.bool_)
        has_action[np.cumsum(store.lengths) - 1] = False  # no step begins at an episode's last frame
        if not has_action.any():
            raise ValueError(
                f"`store` must contain an episode of at least one step. Received {store.folder} with none."
            )
        self.store, self.stack, self.seed = store, stack, seed
        self.rows = np.flatnonzero(has_action)
        self._first = np.repeat(store.starts, store.lengths)
        self.draws = 0

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Sample steps uniformly with replacement; return all of them, in order, for `None` or 0."""
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        rows = self.rows[rng.integers(len(self.rows), size=batch_size)] if batch_size else self.rows
        return Batch(obs=self.stacks(rows), act=np.asarray(self.store.arrays["act"][rows])), rows

    def stack_indices(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, "batch stack"]:
        """Return the store's frame indices of the stacks that end at `rows`."""
        earlier = np.arange(self.stack)[::-1]
        return np.asarray(np.maximum(rows[:, None] - earlier, self._first[rows][:, None]))

    def stacks(self, rows: Int[np.ndarray, " batch"]) -> UInt8[np.ndarray, "batch *image"]:
        """Read the stacks of frames that end at `rows`."""
        frames = np.asarray(self.store.frames[self.stack_indices(rows)])
        return frames if self.stack > 1 else frames[:, 0]

    def check_actions(self, action_space: gym.Space[Any]) -> None:
        """Raise unless the actions belong to `action_space`; those at last frames are not read.

        Raises:
            ValueError: the space is neither a Box with one axis nor a Discrete, or actions do not belong to
                it (`rlpriors.spaces.actions.check_actions`).
        """
        flat_box = isinstance(action_space, gym.spaces.Box) and len(action_space.shape) == 1
        if not flat_box and not isinstance(action_space, gym.spaces.Discrete):
            raise ValueError(
                f"`action_space` must be a Box with one axis or a Discrete. Received {action_space}; "
                "flatten it by a wrapper first."
            )
        act = np.asarray(self.store.arrays["act"][self.rows])
        if act.shape[1:] != action_space.shape:
            raise ValueError(
                f"`act` must be actions of {action_space}, of shape {action_space.shape}. Received shape "
                f"{act.shape[1:]}; record them in the environment of that space."
            )
        lengths = np.asarray(self.store.lengths) - 1  # no step begins at an episode's last frame
        check_actions("act", act, action_space, lengths)
