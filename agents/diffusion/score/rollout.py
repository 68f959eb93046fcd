"""Past of each environment in a rollout, the state of a score policy.

`Past`  past observations and actions of each environment, and the actions to come
"""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from tianshou.data import Batch

from rlpriors.agents.diffusion.score.settings import ScoreSettings

__all__ = ["Past"]


class Past:
    """Past observations and actions of each environment, in raw units, oldest first.

    A state of zeros is that of a new episode, as Tianshou's collectors set it after a reset.

    Args:
        n: number of environments.
        obs_dim: number of entries of an observation.
        act_dim: number of entries of an action.
        settings: sizes of the window.
        state: state that `as_batch` returned; None for new episodes.

    Example:
        >>> past = Past(1, 1, 1, ScoreSettings(history=2))
        >>> past.see(np.array([[5.0]]))
        >>> past.plan(np.array([0]), np.array([[[0.5]]]))
        >>> past.valid.tolist()[0], past.act()[0]
        ([False, False, True], array([0.5], dtype=float32))
    """

    def __init__(
        self, n: int, obs_dim: int, act_dim: int, settings: ScoreSettings, state: Batch | None = None
    ) -> None:
        self.settings = settings
        if state is None:
            self.obs = np.zeros((n, settings.history + 1, obs_dim), np.float32)
            self.actions = np.zeros((n, settings.history, act_dim), np.float32)
            self.planned = np.zeros((n, settings.execution_horizon, act_dim), np.float32)
            self.left = np.zeros(n, np.int64)
            self.steps = np.zeros(n, np.int64)
        else:
            parts: Any = state
            self.obs, self.actions = np.array(parts.obs), np.array(parts.actions)
            self.planned, self.left = np.array(parts.planned), np.array(parts.left)
            self.steps = np.array(parts.steps)

    def see(self, obs: Float[np.ndarray, "n obs"]) -> None:
        """Append the current observations."""
        self.obs = np.concatenate([self.obs[:, 1:], obs[:, None].astype(np.float32)], 1)

    @property
    def valid(self) -> Bool[np.ndarray, "n past"]:
        """True for observations of the current episode, after `see`; their actions have the same flags."""
        return np.arange(self.settings.history, -1, -1) <= self.steps[:, None]

    @property
    def need_plan(self) -> Int[np.ndarray, " rows"]:
        """Environments whose planned actions are used up."""
        return np.flatnonzero(self.left == 0)

    def plan(self, rows: Int[np.ndarray, " rows"], actions: Float[np.ndarray, "rows steps act"]) -> None:
        """Set the next actions of these environments."""
        self.planned[rows] = actions
        self.left[rows] = self.settings.execution_horizon

    def act(self) -> Float[np.ndarray, "n act"]:
        """Return the next action of each environment and append it to its past."""
        row = np.arange(len(self.left))
        actions = self.planned[row, self.settings.execution_horizon - self.left]
        if self.settings.history:
            self.actions = np.concatenate([self.actions[:, 1:], actions[:, None]], 1)
        self.left, self.steps = self.left - 1, self.steps + 1
        return actions

    def as_batch(self) -> Batch:
        """Return the state, one row for each environment."""
        return Batch(
            obs=self.obs, actions=self.actions, planned=self.planned, left=self.left, steps=self.steps
        )
