"""What `rlpriors probe` is told."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["ProbeRunSettings"]


@dataclass(frozen=True)
class ProbeRunSettings:
    """What `rlpriors probe` does.

    Raises:
        ValueError: a field is out of its bounds, or not exactly one of `game`, `env` and `data` alone
            is given.
    """

    game: str | None = None
    """An Atari game whose memory is known, such as pong or ALE/MsPacman-v5."""

    env: str | None = None
    """Or a MuJoCo environment, such as HalfCheetah-v5, whose positions and velocities are probed."""

    encoder: str | None = None
    """A name such as dinov2-small, timm:<id>, hf:<id>, or the folder of a saved encoder; without it only
    the controls are judged."""

    readout: str | None = None
    """What is kept of each frame, such as "mean", "grid(2)" or "crops(1,2,4)"; by default the encoder's
    own."""

    weights: str = "auto"
    """"auto" for the published ones, a file, or "none" for a random start."""

    steps: int = 10_000
    """Steps that are played; AtariARI takes 50000."""

    seed: int = 0
    """Of the play, the split, the probes and random networks."""

    data: Path | None = None
    """A folder of frames, such as `rlpriors demonstrate` makes; by default frames are collected under
    runs/frames, once.  Its actions are taken for an expert's, and are probed too.  With `game` it must
    hold `ram`, with `env` `qpos` or `qvel`; without both, only actions and rewards are probed."""

    policy: Literal["random", "sticky"] = "random"
    """How is played: each action anew, or the last one again most of the time."""

    color: bool = False
    """Three colors, which pretrained encoders are used to, instead of AtariARI's gray."""

    min_frames: int = 65
    """Shorter episodes of Atari are left out."""

    epochs: int = 100
    """Most passes of the probes over the frames."""

    supervised_epochs: int = 10
    """Most passes over the frames of the control that is told the labels, which takes longer than all
    else on a CPU.  AtariARI's ceiling takes up to 100; 0 leaves it out."""

    processes: int = 1
    """Processes that play."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    input_size: tuple[int, int] | None = None
    """Height and width that the network sees; smaller is faster."""

    allow_noncommercial: bool = False
    """Agree to a license that forbids commercial use, or to terms of a gated model."""

    trust_remote_code: bool = False
    """Agree to run code that comes with the weights."""

    def __post_init__(self) -> None:
        given = [value for value in (self.game, self.env) if value is not None]
        if len(given) > 1 or not (given or self.data):
            raise ValueError(
                "Exactly one of `game` and `env` must be given, for example --game pong, or `data` alone for "
                f"actions and rewards. Received {self.game!r} and {self.env!r}."
            )
        if self.supervised_epochs < 0:
            raise ValueError(f"`supervised_epochs` must be at least 0. Received {self.supervised_epochs}.")
        for name in ("steps", "min_frames", "epochs", "processes"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
