"""Settings of `rlpriors zero-shot`.

`ZeroShotRunSettings`  settings of the command
`HELP`                 help of the command
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rlpriors.scripts.learning_args import TrainingArgs

if TYPE_CHECKING:  # imported when used, so that `--help` does not import torch
    from rlpriors.agents import ZeroShotSettings

__all__ = ["HELP", "ZeroShotRunSettings"]

HELP = """
One training on data without rewards gives policies for all tasks: it learns features of states, and a policy
for each direction z in these features (a skill).  A goal or a reward becomes a z in milliseconds, without
further training.  The data must contain the pieces of the behavior, such as random walks or a scripted
explorer; they need not solve any task:

    rlpriors zero-shot --env Reacher-v5 --collect random:50000
    rlpriors zero-shot --env my_module:MyEnv-v0 --data play.hdf5 --reward runs/mine/reward
    rlpriors zero-shot --env my_module:MyEnv-v0 --data play.hdf5 --skills runs/zero-shot-x/skills --reward r2

hilp is the best choice for goals; compare it with random features before you trust a number.  The policy of
scripted or expert data needs --bc-weight 0.3 or more, because it has seen few actions.

It prints the fraction of goals that the policy reaches, and its returns on each --reward, each next to random
actions.  It writes runs/zero-shot-<env>-<features>-seed<seed>: the policy in skills/, numbers in results.json
and TensorBoard logs in tensorboard/.
"""


@dataclass(frozen=True, kw_only=True)
class ZeroShotRunSettings(TrainingArgs):
    """Settings of `rlpriors zero-shot`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    reward: tuple[str, ...] = ()
    """Folders of saved rewards to follow, or hf:<owner>/<name>; none by default."""

    skills: Path | None = None
    """Folder of a policy that this command saved, or hf:<owner>/<name>, to evaluate on other tasks; by
    default one is learned."""

    features: Literal["hilp", "td-jepa", "forward-backward", "one-step", "random", "identity"] = "hilp"
    """Features of tasks: distances in steps (hilp), latent states predicted over the future of each skill
    (td-jepa), factors of the future occupancy (forward-backward), latent states predicted one step ahead
    (one-step), an untrained network (random), or the observation (identity)."""

    task_keys: tuple[str, ...] = ()
    """Leaves of Dict observations that goals and rewards depend on, such as achieved_goal; all by default."""

    dim: int = 32
    """Number of features, the size of a skill."""

    hidden: tuple[int, ...] = (256, 256)
    """Widths of the hidden layers of all networks."""

    gamma: float = 0.98
    """Discount factor of distances and successor features; 1 / (1 - gamma) is about the length of a way."""

    tau: float = 0.01
    """Step size of the target networks; 0.05 learns long ways in a few thousand updates."""

    bc_weight: float = 0.0
    """Weight of actions near those of the data, for Box actions; 0.3 and more for data of experts."""

    updates: int = 20000
    """Number of gradient updates, a multiple of `checkpoint_every`."""

    batch_size: int = 256
    """Number of transitions in an update."""

    lr: float = 1e-3
    """Learning rate of all networks."""

    checkpoint_every: int = 500
    """Number of updates between checkpoints; `--resume` continues from the last one."""

    n_goals: int = 20
    """Number of observations of the data that the policy shall reach, one episode each; 0 for none."""

    radius: float = 0.3
    """Distance at which a goal is reached, in standard deviations of the data, over the task's entries."""

    n_episodes: int = 10
    """Number of episodes of the policy for each reward."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_least(updates=1, batch_size=1, n_goals=0, n_episodes=1)
        for name in ("lr", "radius"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be greater than 0. Received {getattr(self, name)}.")
        self.check_multiple("updates")

    def agent_settings(self) -> "ZeroShotSettings":
        """Return the settings of the agent.

        Raises:
            ValueError: a field is out of its bounds.
        """
        from rlpriors.agents import ZeroShotSettings

        return ZeroShotSettings(
            features=self.features,
            dim=self.dim,
            hidden=self.hidden,
            gamma=self.gamma,
            tau=self.tau,
            bc_weight=self.bc_weight,
        )
