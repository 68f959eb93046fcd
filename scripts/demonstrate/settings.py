"""Settings of `rlpriors demonstrate`, apart from the rest so that `--help` need not import it."""

from dataclasses import dataclass
from pathlib import Path

__all__ = ["DemonstrateSettings"]


@dataclass(frozen=True)
class DemonstrateSettings:
    """What `rlpriors demonstrate` does.

    Raises:
        ValueError: a field is out of its bounds.
    """

    env: str
    """pong, breakout, freeway, Reacher-v5 and InvertedPendulum-v5 have scripted experts; others want a
    `--recording`."""

    episodes: int = 10
    """How many are recorded."""

    steps: int = 500
    """An episode is cut after so many steps, or where the environment itself cuts it."""

    size: int = 64
    """Rows and columns of the frames."""

    noise: float = 0.0
    """Chance, in [0, 1), that something random is done instead of what the expert says, while what it says
    is recorded: demonstrations then show how to come back from mistakes (DART, 1703.09327).  Their
    returns are those of the disturbed play.  Not for recordings."""

    seed: int = 0
    """Of the environment."""

    recording: Path | None = None
    """Recorded states to draw instead, such as benchmarks/data/halfcheetah-v5-expert.safetensors."""

    random_episodes: int = 10
    """Episodes of random play to compare with; they are not kept."""

    def __post_init__(self) -> None:
        for name in ("episodes", "random_episodes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
        if not 0 <= self.noise < 1 or (self.noise and self.recording):
            raise ValueError(
                "`noise` must be in [0, 1), and 0 for a `recording`, which cannot be played anew. Received "
                f"{self.noise}."
            )
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
