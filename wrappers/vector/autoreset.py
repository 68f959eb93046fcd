"""Where episodes begin and end in a `gymnasium.vector` environment, whatever its autoreset mode.

`Autoreset`  tells, after each reset and step, what each row shows
"""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool

__all__ = ["Autoreset"]


class Autoreset:
    """Follows a vector environment's episodes, row by row.

    Raises:
        ValueError: `env.metadata["autoreset_mode"]` is none of Gymnasium's.

    Example:
        >>> import gymnasium as gym
        >>> autoreset = Autoreset(gym.make_vec("CartPole-v1", num_envs=2))
        >>> autoreset.reset()
        array([ True,  True])
        >>> autoreset.step(np.array([True, False]), np.array([False, False]))
        >>> autoreset.step(np.array([False, False]), np.array([False, False]))
        >>> autoreset.first, autoreset.last
        (array([ True, False]), array([False, False]))
    """

    first: Bool[np.ndarray, " rows"]
    """Rows whose observation begins an episode."""
    last: Bool[np.ndarray, " rows"]
    """Rows that also ended an episode in this step: its last observation is in `info["final_obs"]`."""
    moved: Bool[np.ndarray, " rows"]
    """Rows that took a step; the others were only reset."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        # ale_py writes into the metadata of the class, so that its latest environment speaks for all.
        mode = mode and getattr(env.unwrapped, "autoreset_mode", mode)
        if mode not in tuple(AutoresetMode):
            raise ValueError(
                '`env.metadata["autoreset_mode"]` must be a gymnasium.vector.AutoresetMode, for it tells '
                f"where an episode's last observation is. Received {mode!r}; set it on the environment."
            )
        self.mode = AutoresetMode(mode)
        self.num_envs = env.num_envs
        self._done = np.zeros(env.num_envs, np.bool_)

    def reset(self, mask: Any = True) -> Bool[np.ndarray, " rows"]:
        """The rows that a reset with this `options["reset_mask"]` has reset."""
        rows = np.array(np.broadcast_to(mask, self.num_envs), np.bool_)
        self._done = self._done & ~rows
        return rows

    def step(self, terminated: np.ndarray, truncated: np.ndarray) -> None:
        """Sets `first`, `last` and `moved` for a step with these ends."""
        done = np.logical_or(terminated, truncated)
        none = np.zeros(self.num_envs, np.bool_)
        if self.mode == AutoresetMode.NEXT_STEP:
            self.first, self.last, self.moved = self._done, none, ~self._done
        elif self.mode == AutoresetMode.SAME_STEP:
            self.first, self.last, self.moved = done, done, ~none
        else:
            self.first, self.last, self.moved = none, none, ~none
        self._done = done
