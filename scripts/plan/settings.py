"""Settings of `rlpriors plan`.

`PlanSettings`  settings of the command
`HELP`          help of the command
"""

from dataclasses import dataclass
from pathlib import Path

from rlpriors.scripts.pixel_args import RecordedArgs

__all__ = ["HELP", "PlanSettings"]

HELP = """
The planner samples trajectories from the prior, guided by the reward, and executes the beginning of the best
one.  Without a reward it samples from the prior alone, for comparison:

    rlpriors plan --env Reacher-v5 --prior runs/mine/prior --reward runs/mine/reward
    rlpriors plan --env Reacher-v5 --prior runs/prior-Reacher-v5-seed0/prior

It prints both returns.  It writes runs/plan-<env>-seed<seed>: numbers in results.json and the episodes in
episodes.safetensors.
"""


@dataclass(frozen=True, kw_only=True)
class PlanSettings(RecordedArgs):
    """Settings of `rlpriors plan`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    prior: Path
    """Folder of a saved prior, such as runs/reward-Reacher-v5-seed0/prior, or hf:<owner>/<name> on the
    Hugging Face hub."""

    reward: Path | None = None
    """Folder of a saved reward, or hf:<owner>/<name>; by default plans are samples of the prior."""

    n_candidates: int = 16
    """Number of trajectories that are sampled for each plan."""

    n_steps: int = 8
    """Number of denoising steps of each sample."""

    n_episodes: int = 20
    """Number of episodes, all at the same time."""

    seed: int = 0
    """Random seed of environments and plans."""

    device: str = "auto"
    """Device of the prior: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    threads: int = 1
    """Number of threads of torch."""

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("n_candidates", "n_steps", "n_episodes", "threads"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
