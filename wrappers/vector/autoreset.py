"""Episode boundaries of a `gymnasium.vector` environment in each autoreset mode.

`AutoresetTracker`     first, final and stepped rows after each reset and step
`read_autoreset_mode`  autoreset mode of an environment
"""

from typing import Any

import numpy as np
import torch
from gymnasium.vector import AutoresetMode, VectorEnv

from rlpriors.wrappers.vector.step_info import to_numpy

__all__ = ["AutoresetTracker", "read_autoreset_mode"]


def read_autoreset_mode(env: VectorEnv[Any, Any, Any]) -> AutoresetMode:
    """Return the autoreset mode of a vector environment, with or without wrappers.

    Raises:
        ValueError: `env.metadata["autoreset_mode"]` is none of Gymnasium's.
    """
    mode = env.metadata.get("autoreset_mode")
    # ale_py writes into the metadata of the class, so that they hold the mode of its latest environment.
    mode = mode and getattr(env.unwrapped, "autoreset_mode", mode)
    if mode not in tuple(AutoresetMode):
        raise ValueError(
            '`env.metadata["autoreset_mode"]` must be a gymnasium.vector.AutoresetMode, which defines '
            f"the place of final observations. Received {mode!r}; set it on the environment."
        )
    return AutoresetMode(mode)


class AutoresetTracker:
    """Tracker of a vector environment's episode boundaries, row by row.

    The masks are numpy arrays, or tensors on `device` if one is given; then no flag is read on the host.

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

    first: Any
    """Mask of the rows whose observation is the first of an episode."""
    final: Any
    """Mask of the rows that also ended an episode in this step, with its final observation in
    `info["final_obs"]`."""
    stepped: Any
    """Mask of the rows that took a step; the other rows were only reset."""

    def __init__(self, env: VectorEnv[Any, Any, Any], device: torch.device | None = None) -> None:
        self.mode = read_autoreset_mode(env)
        self.num_envs = env.num_envs
        self._device = device
        self._none = self._mask(False)
        self._done = self._none

    def reset(self, mask: Any = True) -> Any:
        """Return the mask of rows that a reset with this `options["reset_mask"]` has reset."""
        rows = self._mask(mask)
        self._done = self._done & ~rows
        return rows

    def step(self, terminated: Any, truncated: Any) -> None:
        """Set `first`, `final` and `stepped` for a step with these flags, arrays or tensors."""
        done, none = self._mask(terminated) | self._mask(truncated), self._none
        if self.mode == AutoresetMode.NEXT_STEP:
            self.first, self.final, self.stepped = self._done, none, ~self._done
        elif self.mode == AutoresetMode.SAME_STEP:
            self.first, self.final, self.stepped = done, done, ~none
        else:
            self.first, self.final, self.stepped = none, none, ~none
        self._done = done

    def _mask(self, flags: Any) -> Any:
        """Return one flag, or one for each row, as a mask of its own memory."""
        if self._device is None:
            return np.array(np.broadcast_to(to_numpy(flags), self.num_envs), np.bool_)
        if isinstance(flags, bool):
            return torch.full((self.num_envs,), flags, device=self._device)
        rows = torch.as_tensor(flags, device=self._device).bool()
        return rows.expand(self.num_envs).clone()
