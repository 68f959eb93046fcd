"""Arguments of trainings, shared by the commands that learn from recorded data.

`TrainingArgs`  checkpoints, seed and device of a command
`LearningArgs`  the same with windows and updates of a prior
"""

from dataclasses import dataclass

from rlpriors.scripts.data_args import DataArgs

__all__ = ["LearningArgs", "TrainingArgs"]


@dataclass(frozen=True, kw_only=True)
class TrainingArgs(DataArgs):
    """Checkpoints, seed and device of a command."""

    checkpoint_every: int = 50
    """Number of updates between checkpoints; `--resume` continues from the last one."""

    seed: int = 0
    """Random seed of data, networks, training and evaluation."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch; small networks do not profit from more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_least(checkpoint_every=1, seed=0, threads=1)

    def check_least(self, **bounds: int) -> None:
        """Raise an error if a field is below its bound; None is no number."""
        for name, bound in bounds.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise ValueError(f"`{name}` must be at least {bound}. Received {value}.")

    def check_multiple(self, name: str) -> None:
        """Raise an error unless a number of updates is a multiple of those between checkpoints."""
        value = getattr(self, name)
        if value % self.checkpoint_every:
            raise ValueError(
                f"`{name}` must be a multiple of `checkpoint_every`, {self.checkpoint_every}. "
                f"Received {value}."
            )


@dataclass(frozen=True, kw_only=True)
class LearningArgs(TrainingArgs):
    """Windows, updates, checkpoints and device of a command."""

    horizon: int | None = None
    """Number of time steps of a window, the piece of an episode that the prior models; by default about a
    third of an episode."""

    stride: int | None = None
    """Number of environment steps of a time step; chosen with the horizon by default, 1 for Discrete
    actions."""

    prior_updates: int = 4000
    """Number of updates of the prior, a multiple of `checkpoint_every`."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_least(horizon=2, stride=1, prior_updates=1)
        self.check_multiple("prior_updates")
