"""Encoders that `probe.py` trains itself, on other episodes of the game that they are then probed on.

`Training`  how long, on how much play
`trained`   an encoder's folder; a training that was stopped goes on
"""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import AtariSettings, collect
from rlpriors.scripts.pretrain.run import APART, pretrain
from rlpriors.scripts.pretrain.settings import PretrainSettings
from rlpriors.scripts.probe.baselines import random_cnn

__all__ = ["Training", "trained"]


@dataclass(frozen=True)
class Training:
    """How long an encoder learns, on how much play."""

    updates: int
    steps: int

    def title(self, method: str) -> str:
        """What such an encoder is called in tables: scores mean little without both numbers."""
        return f"{method} ({self.updates} updates, {self.steps} steps)"


def trained(
    method: str, game: str, seed: int, training: Training, play: AtariSettings, folder: Path, device: str
) -> Path:
    """AtariARI's network trained by `method`, from where `random-cnn` of that seed stands.

    Frames are kept beside it in `folder`, for other methods.
    """
    run = folder / f"{method}-{training.updates}-{training.steps}"
    published = run / "encoder"
    if (published / "config.json").exists():
        return published
    frames = folder / f"frames-train-{training.steps}"
    store: FrameStore = collect(game, training.steps, seed + APART, frames, play, progress=False)
    start = folder / "start"
    random_cnn(store.frames.shape[1:], seed=seed, device=device).save(start)
    settings = PretrainSettings(
        method=method,
        data=(frames,),
        encoder=str(start),
        updates=training.updates,
        resident=device != "cpu",
        seed=seed,
        device=device,
        threads=1 if device == "cpu" else 0,
    )
    with redirect_stdout(io.StringIO()):  # how to use it, which is told to people
        pretrain(settings, folder=run, resume=(run / "settings.json").exists())
    return published
