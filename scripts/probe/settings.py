"""Settings of `rlpriors probe`.

`ProbeRunSettings`  settings of the command
`HELP`              help of the command
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlpriors.evaluation.probing.sampling import Sampling
from rlpriors.scripts.encoder_args import FrozenEncoderArgs
from rlpriors.settings import check_fields

__all__ = ["HELP", "ProbeRunSettings"]

HELP = """
Linear probes predict known variables from the features of an encoder and of baselines (pixels, a random
network, a supervised network):

    rlpriors probe --game pong --encoder runs/pong/encoder --readout "grid(2)"
    rlpriors probe --env HalfCheetah-v5 --encoder dinov2-small
    rlpriors probe --data demos/pong --encoder runs/pong/encoder

The first command probes the variables in the memory of an Atari 2600, by AtariARI's protocol.  The second
probes positions and velocities of a MuJoCo environment, by ridge regression.  The third probes the actions of
the expert that `rlpriors demonstrate` recorded.  All probe the signs of rewards and measure collapse.

It writes runs/probe-<game, env or data>-<encoder>: probe.csv and TensorBoard logs in tensorboard/.  Collected
frames are in runs/frames and are used again.
"""


@dataclass(frozen=True)
class ProbeRunSettings:
    """Settings of `rlpriors probe`.

    Raises:
        ValueError: a field is out of its bounds, or not exactly one of `game`, `env` and `data` alone
            is given.
    """

    game: str | None = None
    """Atari game with known memory, such as pong or ALE/MsPacman-v5."""

    env: str | None = None
    """MuJoCo environment, such as HalfCheetah-v5, whose positions and velocities are probed."""

    encoder: FrozenEncoderArgs = FrozenEncoderArgs("none")  # noqa: RUF009 (frozen)
    """Encoder that is probed; "none" probes only the baselines."""

    n_steps: int = 10_000
    """Number of collected steps; AtariARI uses 50000."""

    seed: int = 0
    """Random seed of collection, split, probes and random networks."""

    data: Path | None = None
    """Folder of frames, such as `rlpriors demonstrate` writes; by default frames are collected once in
    runs/frames.  Its actions are probed as an expert's.  With `game` it must hold `ram`, with `env` `qpos` or
    `qvel`; without both, only actions and rewards are probed."""

    policy: Literal["random", "sticky"] = "random"
    """Policy that collects frames: uniformly random actions, or random actions that are repeated (sticky)."""

    color: bool = False
    """Frames of three colors, which pretrained encoders expect, instead of AtariARI's gray."""

    min_frames: int = 65
    """Number of frames below which an episode of Atari is left out."""

    sampling: Sampling = "random"
    """Sampling of frames: "random" gives all frames equal weight; "episode-uniform" gives all episodes equal
    weight, as the code of AtariARI does."""

    epochs: int = 100
    """Number of passes of the probes over the frames, at most."""

    supervised_epochs: int = 10
    """Number of passes of the supervised baseline over the frames, at most, which takes longest on a CPU.
    AtariARI's upper bound takes up to 100; 0 leaves it out."""

    n_workers: int = 1
    """Number of processes (ale_py) or threads (envpool) that collect frames."""

    collector: Literal["ale_py", "envpool"] = "ale_py"
    """Program that steps an Atari game: ale_py, or EnvPool (pip install envpool), whose episodes differ."""

    device: str = "auto"
    """Device of the networks: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    def __post_init__(self) -> None:
        check_fields(self)
        given = [value for value in (self.game, self.env) if value is not None]
        if len(given) > 1 or not (given or self.data):
            raise ValueError(
                "Exactly one of `game` and `env` must be given, for example --game pong, or `data` alone for "
                f"actions and rewards. Received {self.game!r} and {self.env!r}."
            )
        if self.supervised_epochs < 0:
            raise ValueError(f"`supervised_epochs` must be at least 0. Received {self.supervised_epochs}.")
        for name in ("n_steps", "min_frames", "epochs", "n_workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
