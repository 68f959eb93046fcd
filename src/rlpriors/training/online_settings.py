"""Settings and result of online training.

`OnlineSettings`  lengths, environments and updates of a run
`OnlineResult`    steps, seconds and episodes of a finished run
"""

import math
from dataclasses import dataclass

import numpy as np

from rlpriors.settings import check_fields
from rlpriors.training.episode_statistics import EpisodeRecord

__all__ = ["OnlineResult", "OnlineSettings"]


@dataclass(frozen=True)
class OnlineSettings:
    """Settings of `train_online`.

    Raises:
        ValueError: a field is out of its bounds, or a number of steps is not divisible by `n_envs`.
    """

    env_steps: int = 25_600
    """Number of steps in all environments together, random steps included."""

    n_envs: int = 16
    """Number of parallel environments."""

    random_steps: int = 1600
    """Number of random steps before the first update; 0 for on-policy algorithms."""

    collect_steps: int = 16
    """Number of steps between updates; about 2048 for on-policy algorithms."""

    update_per_step: float = 0.25
    """Number of updates per step (off-policy)."""

    repeat: int = 10
    """Number of passes over each collection (on-policy)."""

    batch_size: int = 128
    """Number of transitions in an update."""

    reward_scale: float = 1.0
    """Factor on the learned reward that the agent receives."""

    buffer_size: int | None = None
    """Number of steps that the buffer holds; None for all steps (off-policy)."""

    checkpoint_every: int = 8000
    """Number of steps between checkpoints, rounded up to whole collections."""

    exact_resume: bool = False
    """New episodes after each checkpoint, so that a resumed run equals an undisturbed one bit by bit.  It
    cuts an episode of each environment, so `checkpoint_every / n_envs` should be many episodes."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in (
            "env_steps",
            "n_envs",
            "collect_steps",
            "repeat",
            "batch_size",
            "checkpoint_every",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not 0 <= self.random_steps < self.env_steps:
            raise ValueError(
                f"`random_steps` must be at least 0 and below `env_steps`, {self.env_steps}. Received "
                f"{self.random_steps}; lower it, or raise `env_steps`."
            )
        for name in ("collect_steps", "random_steps"):
            if getattr(self, name) % self.n_envs:
                raise ValueError(
                    f"`{name}` must be a multiple of `n_envs`, {self.n_envs}, as all environments step "
                    f"together. Received {getattr(self, name)}."
                )
        if not 0.5 < self.update_per_step * self.collect_steps < math.inf:
            raise ValueError(
                "`update_per_step` must give at least 1 update for each `collect_steps` "
                f"({self.collect_steps}). Received {self.update_per_step}; raise it, or `collect_steps`."
            )
        if self.buffer_size is not None and self.buffer_size < self.n_envs:
            raise ValueError(
                f"`buffer_size` must be at least `n_envs`, {self.n_envs}. Received {self.buffer_size}."
            )
        if not (np.isfinite(self.reward_scale) and self.reward_scale != 0):
            raise ValueError(f"`reward_scale` must be finite and not 0. Received {self.reward_scale}.")


@dataclass(frozen=True)
class OnlineResult:
    """Steps, seconds and episodes of a run of `train_online`."""

    env_steps: int
    """Number of steps taken, those before a resume included."""
    seconds: float
    """Duration in seconds, counted from the last resume."""
    episodes: list[EpisodeRecord]
    """Whole episodes in order, with both returns, counted from the last resume."""
