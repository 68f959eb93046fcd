"""Demonstrations as frames on disk, drawn as a policy of images wants them.

`PixelBuffer`  samples the last few frames before each step, and the action that was taken
"""

from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Int, UInt8
from tianshou.data import Batch, ReplayBuffer

from rlpriors.data.frames import FrameStore

__all__ = ["PixelBuffer"]

ROUNDING = 1e-4  # of an action's range: recordings are float32, and controllers clip in float64


class PixelBuffer(ReplayBuffer):
    """A buffer over a `FrameStore`: each frame lies on disk once, however many stacks show it.

    A sample has `obs` [batch, stack, height, width, channels], oldest frame first (without the axis
    of frames where `stack` is 1), and `act`.  At an episode's beginning its first frame stands for
    those before it, as in `FrameStackObservation` with `padding_type="reset"`.

    What is drawn depends on `seed` and `draws` alone, so a resumed run sees the batches that an
    uninterrupted one would have seen.

    Args:
        store: episodes with the array `act`.
        stack: frames that the policy sees.
        seed: source of what is drawn.

    Raises:
        ValueError: the store has no actions, or no episode has a step.

    Example:
        >>> import tempfile
        >>> from rlpriors.data.frames import FrameWriter
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
                f"`store` must hold the array `act`, what was done at each frame. {store.folder} has "
                f"{sorted(store.arrays) or 'none'}; write the actions with the frames."
            )
        acting = np.ones(store.n_frames, np.bool_)
        acting[np.cumsum(store.lengths) - 1] = False  # from an episode's last frame no step was taken
        if not acting.any():
            raise ValueError(f"`store` must hold an episode of at least one step. {store.folder} has none.")
        self.store, self.stack, self.seed = store, stack, seed
        self.rows = np.flatnonzero(acting)
        self._first = np.repeat(store.starts, store.lengths)
        self.draws = 0

    def __len__(self) -> int:
        return len(self.rows)

    def sample(self, batch_size: int | None) -> tuple[Any, np.ndarray]:
        """Steps drawn evenly with replacement; all of them, in order, for `None` or 0."""
        rng = np.random.default_rng((self.seed, self.draws))
        self.draws += 1
        rows = self.rows[rng.integers(len(self.rows), size=batch_size)] if batch_size else self.rows
        return Batch(obs=self.stacks(rows), act=np.asarray(self.store.arrays["act"][rows])), rows

    def seen(self, rows: Int[np.ndarray, " batch"]) -> Int[np.ndarray, "batch stack"]:
        """Which frames of the store a policy sees at these."""
        earlier = np.arange(self.stack)[::-1]
        return np.asarray(np.maximum(rows[:, None] - earlier, self._first[rows][:, None]))

    def stacks(self, rows: Int[np.ndarray, " batch"]) -> UInt8[np.ndarray, "batch *image"]:
        """What it sees there."""
        frames = np.asarray(self.store.frames[self.seen(rows)])
        return frames if self.stack > 1 else frames[:, 0]

    def check_actions(self, action_space: gym.Space[Any]) -> None:
        """Refuse actions that are not of `action_space`; what a last frame has for one is not read.

        Raises:
            ValueError: the space is neither a Box with one axis nor a Discrete, actions have another type
                or shape, or one lies outside, for a Box by more than 1e-4 of the range.
        """
        if isinstance(action_space, gym.spaces.Discrete):
            kinds, low, slack = "iu", np.array(action_space.start), np.array(0)
            high = low + action_space.n - 1
        elif isinstance(action_space, gym.spaces.Box) and len(action_space.shape) == 1:
            kinds, low, high = "f", action_space.low.astype(float), action_space.high.astype(float)
            slack = ROUNDING * np.where(np.isfinite(high - low), high - low, 1.0)
        else:
            raise ValueError(
                f"`action_space` must be a Box with one axis or a Discrete. Received {action_space}; "
                "flatten it by a wrapper first."
            )
        wanted = f"`act` of the demonstrations must be actions of {action_space}."
        act = np.asarray(self.store.arrays["act"][self.rows])
        if act.dtype.kind not in kinds or act.shape[1:] != action_space.shape:
            raise ValueError(
                f"{wanted} Received {act.dtype} of shape {act.shape[1:]}; record them in the environment of "
                "that space."
            )
        outside = (act < low - slack) | (act > high + slack)
        if outside.any():
            first = int(np.flatnonzero(outside.reshape(len(act), -1).any(1))[0])
            episode = int(np.searchsorted(self.store.starts, self.rows[first], "right")) - 1
            raise ValueError(
                f"{wanted} Received {act[first]} at step {self.rows[first] - self.store.starts[episode]} of "
                f"episode {episode}; record what the environment did, within its bounds."
            )
