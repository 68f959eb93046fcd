"""Episode boundaries of a `gymnasium.vector` environment in each autoreset mode.

`AutoresetTracker`  first, final and stepped rows after each reset and step
"""

from typing import Any

import numpy as np
from gymnasium.vector import AutoresetMode, VectorEnv
from jaxtyping import Bool

from rlpriors.wrappers.vector.step_info import to_numpy

__all__ = ["AutoresetTracker"]


class AutoresetTracker:
    """Tracker of a vector environment's episode boundaries, row by row.

    Raises:
        ValueError: `env.metadata["autoreset_mode"]` is none of Gymnasium's.

    Example:
        >>> import gymnasium as gym
        >>> autoreset = AutoresetTracker(gym.make_vec("CartPole-v1", num_envs=2))
        >>> autoreset.reset()
        array([ True,  True])
        >>> autoreset.step(np.array([True, False]), np.array([False, False]))
        >>> autoreset.step(np.array([False, False]), np.array([False, False]))
        >>> autoreset.first, autoreset.final
        (array([ True, False]), array([False, False]))
    """

    first: Bool[np.ndarray, " rows"]
    """Mask of the rows whose observation is the first of an episode."""
    final: Bool[np.ndarray, " rows"]
    """Mask of the rows that also ended an episode in this step, with its final observation in
    `info["final_obs"]`."""
    stepped: Bool[np.ndarray, " rows"]
    """Mask of the rows that took a step; the other rows were only reset."""

    def __init__(self, env: VectorEnv[Any, Any, Any]) -> None:
        mode = env.metadata.get("autoreset_mode")
        # ale_py writes into the metadata of the class, so that they hold the mode of its latest environment.
        mode = mode and getattr(env.unwrapped, "autoreset_mode", mode)
        if mode not in tuple(AutoresetMode):
            raise ValueError(
                '`env.metadata["autoreset_mode"]` must be a gymnasium.vector.AutoresetMode, which defines '
                f"the place of final observations. Received {mode!r}; set it on the environment."
            )
        self.mode = AutoresetMode(mode)
        self.num_envs = env.num_envs
        self._done = np.zeros(env.num_envs, np.bool_)

    def reset(self, mask: Any = True) -> Bool[np.ndarray, " rows"]:
        """Return the mask of rows that a reset with this `options["reset_mask"]` has reset."""
        rows = np.array(np.broadcast_to(mask, self.num_envs), np.bool_)
        self._done = self._done & ~rows
        return rows

    def step(self, terminated: Any, truncated: Any) -> None:
        """Set `first`, `final` and `stepped` for a step with these flags, arrays or tensors."""
        done = np.logical_or(to_numpy(terminated), to_numpy(truncated))
        none = np.zeros(self.num_envs, np.bool_)
        if self.mode == AutoresetMode.NEXT_STEP:
            self.first, self.final, self.stepped = self._done, none, ~self._done
        elif self.mode == AutoresetMode.SAME_STEP:
            self.first, self.final, self.stepped = done, done, ~none
        else:
            self.first, self.final, self.stepped = none, none, ~none
        self._done = done
