"""Settings of `rlpriors learn-reward`.

`LearnRewardSettings`  settings of the command
`HELP`                 help of the command
"""

from dataclasses import dataclass
from typing import Literal

from rlpriors.scripts.data_args import DataArgs, random_steps

__all__ = ["HELP", "LearnRewardSettings"]

HELP = """
The command needs an environment and episodes of the desired behavior (demonstrations).  It collects or reads
data of possible behavior, trains a diffusion model of its trajectories (the prior), checks that the prior
covers the demonstrations, learns a reward that separates them from the data, and evaluates the reward without
the environment's own, which it never reads:

    rlpriors learn-reward --env Reacher-v5 --demos demos.npz
    rlpriors learn-reward --env my_module:MyEnv-v0 --demos demos.npz --data replay.hdf5
    rlpriors learn-reward --env PointMaze_UMaze-v3 --demos mine/umaze-v0 --obs-keys observation
    rlpriors learn-reward ... --resume

A .npz file of demonstrations has the arrays `obs`, `act` and `lengths`: the T + 1 observations and T actions
of each episode, end to end, and the numbers T.  A leaf of a Dict observation is an array `obs/<leaf>`.  Files
of D4RL (.hdf5), saved Tianshou buffers, saved EpisodeStores and local Minari data sets are read, too.

It prints a verdict and three lines of Python that use the reward.  It writes runs/reward-<env>-seed<seed>:
the reward in reward/, the prior in prior/, the evaluation in report.md and figures/, TensorBoard logs in
tensorboard/.
"""


@dataclass(frozen=True, kw_only=True)
class LearnRewardSettings(DataArgs):
    """Settings of `rlpriors learn-reward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    demos: str
    """Demonstrations, episodes of the desired behavior: a .npz or .hdf5 file, a saved EpisodeStore, or a
    Minari id."""

    reference: str | None = None
    """Negatives that demonstrations are compared with: "random:<steps>", or a source as for --data; the data
    by default.  Choose random actions if the data comes from a good policy."""

    inputs: Literal["observation", "observation-action"] = "observation"
    """Inputs of the reward; rewards of observations alone transfer better."""

    obs_index: tuple[int, ...] = ()
    """Indices of the observation entries that the reward reads; all entries by default."""

    horizon: int | None = None
    """Number of time steps of a window; by default about a third of a demonstration."""

    stride: int | None = None
    """Number of environment steps of a time step; chosen with the horizon by default, 1 for Discrete
    actions."""

    prior_updates: int = 1000
    """Number of updates of the prior, a multiple of `checkpoint_every`."""

    reward_updates: int = 800
    """Number of updates of the reward, a multiple of `checkpoint_every`."""

    agreement_updates: int = 200
    """Number of updates of each of three further rewards, from halves of the demonstrations and another seed,
    whose agreement is reported; a multiple of `checkpoint_every`, 0 for none."""

    held_out: float = 0.2
    """Fraction of the demonstrations, and of the data, that is kept for the evaluation."""

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
        for name in ("prior_updates", "reward_updates", "checkpoint_every", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("seed", "agreement_updates"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        for name in ("prior_updates", "reward_updates", "agreement_updates"):
            if getattr(self, name) % self.checkpoint_every:
                raise ValueError(
                    f"`{name}` must be a multiple of `checkpoint_every`, {self.checkpoint_every}. "
                    f"Received {getattr(self, name)}."
                )
        for name, least in (("horizon", 2), ("stride", 1)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {value}.")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"`held_out` must be in [0, 1). Received {self.held_out}.")
        if random_steps(self.demos) is not None:
            raise ValueError(
                f"`demos` must be a file or a Minari id. Received {self.demos!r}; random actions demonstrate "
                "nothing."
            )
