"""Settings of `rlpriors demo`.

`DemoSettings`  settings of the command
`RewardInputs`  the parts of a transition that the reward reads
`HELP`          help of the command
"""

from dataclasses import dataclass
from typing import Literal

from rlpriors.settings import check_fields

__all__ = ["HELP", "DemoSettings", "RewardInputs"]

HELP = """
The command is a preset of `rlpriors learn-reward`, for a maze, on 2 CPU cores.  It runs the same stages with
other values: train a diffusion model of the data's trajectories (the prior), check that it covers the
demonstrations, learn a reward from them with DiffusionIRL, and report on the reward without the true one.
The maze's own are the scripted data and demonstrations of a hidden goal, the comparison with the true
distance to this goal, and, in place of a policy, plans by the reward in the simulator.

    rlpriors demo
    rlpriors demo --seed 1 --goal -1 -1
    rlpriors demo --reward-inputs observation-action
    rlpriors demo --resume

It prints the fraction of episodes that reach the goal and stay there, and a verdict.  EPIC is a distance of
two rewards that ignores differences without effect on the best policy: 0 for equal, 1 for opposite.  It
writes runs/demo-seed<seed>: the reward in reward/, the prior in prior/, the evaluation in report.md, numbers
in results.json, pictures in figures/ and TensorBoard logs in tensorboard/.
"""

RewardInputs = Literal["position", "observation", "observation-action"]


@dataclass(frozen=True)
class DemoSettings:
    """Settings of `rlpriors demo`; the defaults take 2 to 3 minutes on 2 CPU cores.

    Raises:
        ValueError: a field is out of its bounds.
    """

    seed: int = 0
    """Random seed of data, networks, training and evaluation."""

    reward_inputs: RewardInputs = "observation"
    """Inputs of the reward: "observation" is position and velocity, "observation-action" adds the action,
    and "position" gives the prior knowledge that only the position matters."""

    goal: tuple[float, float] = (-1.0, -1.0)
    """Position (x and y) of the hidden goal."""

    demonstrations: int = 20
    """Number of demonstrations, episodes of a controller that goes to the goal."""

    data_episodes: int = 400
    """Number of episodes between random positions, on which the prior is trained."""

    prior_updates: int = 4000
    """Number of updates of the diffusion model, a multiple of `checkpoint_every`."""

    reward_updates: int = 800
    """Number of updates of the reward, a multiple of `checkpoint_every`."""

    agreement_updates: int = 50
    """Number of updates of each of three further rewards, whose agreement the report states; a multiple of
    `checkpoint_every`, 0 for none."""

    held_out: int = 5
    """Number of further demonstrations, which are kept for the report."""

    checkpoint_every: int = 50
    """Number of updates between checkpoints; `--resume` continues from the last one."""

    n_episodes: int = 100
    """Number of evaluation episodes of each planner."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch.  A second thread hardly speeds up such small networks, and slows them down
    on a busy machine."""

    n_workers: int = 2
    """Number of processes that generate data; the data does not depend on it."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in (
            "demonstrations",
            "data_episodes",
            "prior_updates",
            "reward_updates",
            "checkpoint_every",
            "n_episodes",
            "threads",
            "held_out",
        ):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        for name in ("seed", "n_workers", "agreement_updates"):
            if getattr(self, name) < 0:
                raise ValueError(f"`{name}` must be at least 0. Received {getattr(self, name)}.")
        for name in ("prior_updates", "reward_updates", "agreement_updates"):
            if getattr(self, name) % self.checkpoint_every:
                raise ValueError(
                    f"`{name}` must be a multiple of `checkpoint_every`, {self.checkpoint_every}. "
                    f"Received {getattr(self, name)}."
                )
