"""Settings of `rlpriors learn-prior`.

`LearnPriorSettings`  settings of the command
`HELP`                help of the command
"""

from dataclasses import dataclass

from rlpriors.scripts.data_args import DataArgs

__all__ = ["HELP", "LearnPriorSettings"]

HELP = """
The prior is a diffusion model of trajectories.  It knows which behavior is possible, not which is desired.
Plans combine it with a reward (`rlpriors plan`).  `rlpriors learn-reward` includes this command:

    rlpriors learn-prior --env Reacher-v5 --collect random:20000
    rlpriors learn-prior --env my_module:MyEnv-v0 --data replay.hdf5 --horizon 32

It prints the denoising error on held-out data.  It writes runs/prior-<env>-seed<seed>: the prior in prior/,
numbers in results.json and TensorBoard logs in tensorboard/.
"""


@dataclass(frozen=True, kw_only=True)
class LearnPriorSettings(DataArgs):
    """Settings of `rlpriors learn-prior`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    horizon: int | None = None
    """Number of time steps of a window; by default about a third of an episode."""

    stride: int | None = None
    """Number of environment steps of a time step; chosen with the horizon by default, 1 for Discrete
    actions."""

    prior_updates: int = 4000
    """Number of updates of the prior, a multiple of `checkpoint_every`."""

    checkpoint_every: int = 50
    """Number of updates between checkpoints; `--resume` continues from the last one."""

    seed: int = 0
    """Random seed of data, network and training."""

    device: str = "auto"
    """Device of the network: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch; small networks do not profit from more."""

    def __post_init__(self) -> None:
        super().__post_init__()
        least = {
            "prior_updates": 1,
            "checkpoint_every": 1,
            "threads": 1,
            "seed": 0,
            "horizon": 2,
            "stride": 1,
        }
        for name, bound in least.items():
            value = getattr(self, name)
            if value is not None and value < bound:
                raise ValueError(f"`{name}` must be at least {bound}. Received {value}.")
        if self.prior_updates % self.checkpoint_every:
            raise ValueError(
                f"`prior_updates` must be a multiple of `checkpoint_every`, {self.checkpoint_every}. "
                f"Received {self.prior_updates}."
            )
