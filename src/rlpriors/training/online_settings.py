"""How long a policy learns by acting, and what its run was like.

`OnlineSettings`  how long, how many environments, how many updates
`OnlineResult`    what the run was like
"""

from dataclasses import dataclass

import numpy as np

from rlpriors.training.episode_statistics import EpisodeRecord

__all__ = ["OnlineResult", "OnlineSettings"]


@dataclass(frozen=True)
class OnlineSettings:
    """How long a policy learns, and on what.

    Raises:
        ValueError: a field is out of its bounds, or steps do not divide.
    """

    env_steps: int = 25_600
    """Steps in all environments together, random ones included."""

    n_envs: int = 16
    """Environments side by side."""

    random_steps: int = 1600
    """Steps of random actions before the first update; 0 for on-policy algorithms."""

    collect_steps: int = 16
    """Steps between updates; 2048 or so for on-policy algorithms."""

    update_per_step: float = 0.25
    """Updates for each step (off-policy)."""

    repeat: int = 10
    """Passes over what was collected (on-policy)."""

    batch_size: int = 128
    """Transitions in one update."""

    reward_scale: float = 1.0
    """Factor on the learned reward, as the agent sees it."""

    buffer_size: int | None = None
    """Steps that the buffer holds; None for all of them (off-policy)."""

    checkpoint_every: int = 8000
    """Steps between checkpoints; rounded up to whole collections."""

    def __post_init__(self) -> None:
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
                f"{self.random_steps}."
            )
        for name in ("collect_steps", "random_steps"):
            if getattr(self, name) % self.n_envs:
                raise ValueError(
                    f"`{name}` must be a multiple of `n_envs`, {self.n_envs}, as all environments step "
                    f"together. Received {getattr(self, name)}."
                )
        if round(self.update_per_step * self.collect_steps) < 1:
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
    """What a run was like."""

    env_steps: int
    """Steps taken, those before a resume included."""
    seconds: float
    """How long it took; of a resumed run, since it was resumed."""
    episodes: list[EpisodeRecord]
    """Each whole episode in order, with both returns; of a resumed run, since it was resumed."""
