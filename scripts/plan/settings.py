"""Settings of `rlpriors plan`.

`PlanSettings`  settings of the command
`HELP`          help of the command
"""

import json
from dataclasses import dataclass
from pathlib import Path

from rlpriors.settings import check_fields

__all__ = ["HELP", "PlanSettings"]

HELP = """
The planner samples trajectories from the prior, guided by the reward, and executes the beginning of the best
one.  Without a reward it samples from the prior alone, for comparison:

    rlpriors plan --prior runs/reward-Reacher-v5-seed0/prior --reward runs/reward-Reacher-v5-seed0/reward
        --env Reacher-v5
    rlpriors plan --prior runs/prior-Reacher-v5-seed0/prior --env Reacher-v5

It prints both returns.  It writes runs/plan-<env>-seed<seed>: numbers in results.json and the episodes in
episodes.safetensors.
"""


@dataclass(frozen=True)
class PlanSettings:
    """Settings of `rlpriors plan`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    prior: Path
    """Folder of a saved prior, such as runs/reward-Reacher-v5-seed0/prior."""

    env: str
    """Id of the environment, such as Reacher-v5; "module:Id-v0" imports the module first, also from the
    current folder."""

    reward: Path | None = None
    """Folder of a saved reward; by default plans are samples of the prior."""

    n_candidates: int = 16
    """Number of trajectories that are sampled for each plan."""

    n_steps: int = 8
    """Number of denoising steps of each sample."""

    n_episodes: int = 20
    """Number of episodes, all at the same time."""

    env_args: str = "{}"
    """Further arguments of gymnasium.make as JSON: '{"continuing_task": true}'."""

    seed: int = 0
    """Random seed of environments and plans."""

    device: str = "auto"
    """Device of the prior: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("n_candidates", "n_steps", "n_episodes", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
        try:
            arguments = json.loads(self.env_args)
        except json.JSONDecodeError as error:
            raise ValueError(f"`env_args` must be JSON. Received {self.env_args!r} ({error}).") from error
        if not isinstance(arguments, dict):
            raise ValueError(f"`env_args` must be a JSON object, {{...}}. Received {self.env_args!r}.")
