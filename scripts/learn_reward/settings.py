"""Settings of `rlpriors learn-reward`.

`LearnRewardSettings`  settings of the command
`HELP`                 help of the command
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Literal

import tyro

from rlpriors.scripts.data_args import random_steps
from rlpriors.scripts.learning_args import LearningArgs

__all__ = ["HELP", "POLICY_STEPS", "LearnRewardSettings"]

POLICY_STEPS = 25_600
"""Number of steps of the policy by default."""
LEAST_STEPS = 64
UNUSED_BY_PREFERENCES = (
    "demos", "reference", "objective", "collect", "horizon", "stride", "prior_updates", "policy_steps"
)  # fmt: skip

HELP = """
The command needs an environment and episodes of the desired behavior (demonstrations).  It collects or reads
data of possible behavior, trains a diffusion model of its trajectories (the prior), checks that the prior
covers the demonstrations, learns a reward that separates them from the data, and evaluates the reward without
the environment's own, which it never reads:

    rlpriors learn-reward --env Reacher-v5 --demos demos.npz
    rlpriors learn-reward --env my_module:MyEnv-v0 --demos demos.npz --data replay.hdf5
    rlpriors learn-reward --env PointMaze_UMaze-v3 --demos mine/umaze-v0 --obs-keys observation
    rlpriors learn-reward ... --resume

With --from preferences it reads comparisons of recorded segments (`rlpriors label`) in place of
demonstrations, needs no prior, and evaluates the reward on held-out pairs:

    rlpriors learn-reward --from preferences --labels labels.jsonl --data replay.hdf5 --env Hopper-v5

A .npz file of demonstrations has the arrays `obs`, `act` and `lengths`: the T + 1 observations and T actions
of each episode, end to end, and the numbers T.  A leaf of a Dict observation is an array `obs/<leaf>`.  Files
of D4RL (.hdf5), saved Tianshou buffers, saved EpisodeStores and local Minari data sets are read, too.

It prints a verdict and three lines of Python that use the reward.  It writes runs/reward-<env>-seed<seed>:
the reward in reward/, the prior in prior/, the evaluation in report.md and figures/, TensorBoard logs in
tensorboard/.
"""


@dataclass(frozen=True, kw_only=True)
class LearnRewardSettings(LearningArgs):
    """Settings of `rlpriors learn-reward`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    source: Annotated[Literal["demonstrations", "preferences"], tyro.conf.arg(name="from")] = "demonstrations"
    """Source of the reward: demonstrations (--demos), or preferences of segments of --data (--labels)."""

    demos: str | None = None
    """Demonstrations, episodes of the desired behavior: a .npz or .hdf5 file, a saved EpisodeStore, or a
    Minari id.  They are required, unless the source is preferences."""

    labels: Path | None = None
    """Labeled pairs of segments of --data, a file of `rlpriors label`; for --from preferences."""

    reference: str | None = None
    """Negatives that demonstrations are compared with: "random:<steps>", or a source as for --data.  The
    default is the data; with the objective "contrastive" samples of the prior, if entries are constant in
    each episode and no episode terminates.  Choose random actions if the data comes from a good policy."""

    objective: Literal["contrastive", "density-ratio"] = "contrastive"
    """Loss of the reward: "contrastive" also learns ways that are longer than a window; "density-ratio" is
    for observations that contain a goal which differs between episodes, as in reaching tasks, and for
    demonstrations that repeat movements, as gaits do."""

    inputs: Literal["observation", "observation-action"] = "observation"
    """Inputs of the reward; rewards of observations alone transfer better."""

    obs_index: tuple[int, ...] = ()
    """Indices of the observation entries that the reward reads; all entries by default."""

    prior_updates: int = 1000
    """Number of updates of the prior, a multiple of `checkpoint_every`."""

    reward_updates: int = 800
    """Number of updates of the reward, a multiple of `checkpoint_every`."""

    agreement_updates: int = 200
    """Number of updates of each of three further rewards, from halves of the demonstrations and another seed,
    whose agreement is reported; a multiple of `checkpoint_every`, 0 for none.  From preferences, 0 leaves out
    the rewards of a quarter and half of the labels, which have `reward_updates`."""

    policy_steps: int | None = None
    """Number of steps of a policy that trains on the reward alone at the end, and whose rollouts are compared
    with the demonstrations; 0 for none.  The default is 25600, and 0 with an encoder, which takes long."""

    held_out: float = 0.2
    """Fraction of the demonstrations and of the data, or of the labeled pairs, that is kept for the
    evaluation."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._check_source()
        if self.policy_steps is not None and 0 != self.policy_steps < LEAST_STEPS:
            raise ValueError(
                f"`policy_steps` must be 0 or at least {LEAST_STEPS}. Received {self.policy_steps}."
            )
        for name, least in (("reward_updates", 1), ("agreement_updates", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"`{name}` must be at least {least}. Received {getattr(self, name)}.")
            self.check_multiple(name)
        if not 0 <= self.held_out < 1:
            raise ValueError(f"`held_out` must be in [0, 1). Received {self.held_out}.")
        if self.demos is not None and random_steps(self.demos) is not None:
            raise ValueError(
                f"`demos` must be a file or a Minari id. Received {self.demos!r}; random actions demonstrate "
                "nothing."
            )

    def _check_source(self) -> None:
        """Raise unless the fields are those of the source."""
        needed = ("demos",) if self.source == "demonstrations" else ("labels", "data")
        for name in needed:
            if getattr(self, name) is None:
                raise ValueError(
                    f"`{name}` must be given to learn from {self.source}. Received none; add --{name}, or "
                    "choose another source (--from)."
                )
        unused = ("labels",) if self.source == "demonstrations" else UNUSED_BY_PREFERENCES
        for field in fields(self):
            if field.name in unused and getattr(self, field.name) != field.default:
                flag = f"--{field.name.replace('_', '-')}"
                raise ValueError(
                    f"`{field.name}` is not used to learn from {self.source}. Received "
                    f"{getattr(self, field.name)!r}; leave out {flag}."
                )
