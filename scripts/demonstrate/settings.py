"""Settings of `rlpriors demonstrate`.

`DemonstrateSettings`  settings of the command
`HELP`                 help of the command
"""

from dataclasses import dataclass
from pathlib import Path

from rlpriors.settings import check_fields

__all__ = ["HELP", "DemonstrateSettings"]

HELP = """
The experts are scripts that read the emulator's memory or the robot's joints, or recorded states:

    rlpriors demonstrate --env pong --folder demos/pong
    rlpriors demonstrate --env Reacher-v5
    rlpriors demonstrate --env HalfCheetah-v5 --recording benchmarks/data/halfcheetah-v5-expert.safetensors

It prints the returns of the expert and of a random policy.  It writes demos/<env>, such as demos/reacher:
frames, actions and rewards for `rlpriors imitate`, and the settings and returns in demonstrations.json.
The folder must be new.
"""


@dataclass(frozen=True)
class DemonstrateSettings:
    """Settings of `rlpriors demonstrate`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    env: str
    """Environment.  Scripted experts exist for pong, breakout, freeway, Reacher-v5 and InvertedPendulum-v5;
    other environments need `--recording`."""

    n_episodes: int = 10
    """Number of recorded episodes."""

    max_episode_steps: int = 500
    """Number of steps after which an episode is truncated, unless the environment has a lower limit."""

    image_size: int = 64
    """Rows and columns of a frame."""

    action_noise: float = 0.0
    """Fraction of steps in [0, 1) at which a random action is executed, while the expert's action is
    recorded: such demonstrations contain recoveries from mistakes (DART, arXiv 1703.09327).  The returns are
    those of the noisy episodes.  Not for recordings."""

    seed: int = 0
    """Random seed of the environment, the noise and the random policy."""

    recording: Path | None = None
    """File of recorded states that are rendered instead, such as
    benchmarks/data/halfcheetah-v5-expert.safetensors."""

    n_random_episodes: int = 10
    """Number of episodes of the random policy, for comparison; they are not saved."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("n_episodes", "n_random_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not 0 <= self.action_noise < 1 or (self.action_noise and self.recording):
            raise ValueError(
                "`action_noise` must be in [0, 1), and 0 for a `recording`, whose actions are fixed. "
                f"Received {self.action_noise}."
            )
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
