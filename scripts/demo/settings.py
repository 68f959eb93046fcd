"""What `rlpriors demo` is told; apart from the demo so that `--help` need not import what it runs."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["DemoSettings", "RewardInputs"]

RewardInputs = Literal["position", "observation", "observation-action"]


@dataclass(frozen=True)
class DemoSettings:
    """What `rlpriors demo` does.  The defaults end within 5 minutes on 2 CPU cores."""

    seed: int = 0
    """Seed of everything: data, networks, training and the episodes of the evaluation."""

    reward_inputs: RewardInputs = "observation"
    """What the reward may read: all of the observation (place and velocity), nothing picked by hand;
    "observation-action" actions too; "position" is told that the place is what matters."""

    goal: tuple[float, float] = (-1.0, -1.0)
    """x and y of the hidden goal."""

    demonstrations: int = 20
    """Episodes of a controller that goes to the goal."""

    data_episodes: int = 400
    """Episodes of travels between random places, which the prior is learned from."""

    prior_updates: int = 4000
    """Updates of the diffusion model; a multiple of `checkpoint_every`."""

    reward_updates: int = 800
    """Updates of the reward; a multiple of `checkpoint_every`."""

    checkpoint_every: int = 50
    """Updates between checkpoints, from where `--resume` goes on."""

    episodes: int = 100
    """Episodes of each row of the evaluation."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Threads of torch.  The networks are so small that a second one gains little on an idle machine,
    and costs time on a busy one, where each waits for the other."""

    workers: int = 2
    """Processes that make data; the data does not depend on it."""

    def __post_init__(self) -> None:
        for name in (
            "demonstrations",
            "data_episodes",
            "prior_updates",
            "reward_updates",
            "checkpoint_every",
            "episodes",
            "threads",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("seed", "workers"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        for name in ("prior_updates", "reward_updates"):
            if getattr(self, name) % self.checkpoint_every:
                raise ValueError(
                    f"`{name}` must be a multiple of `checkpoint_every`, {self.checkpoint_every}. "
                    f"Received {getattr(self, name)}."
                )
