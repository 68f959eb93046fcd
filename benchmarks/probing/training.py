"""Encoders that are trained for probing, on other episodes of the game that is probed.

`Training`       number of updates and of environment steps
`train_encoder`  folder of a trained encoder
"""

import io
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path

from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import collect_atari
from rlpriors.envs.atari.game import AtariSettings
from rlpriors.envs.random_frames import PRETRAINING_SEED_OFFSET
from rlpriors.evaluation.probing.baselines import random_cnn
from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.scripts.pretrain.run import pretrain
from rlpriors.scripts.pretrain.settings import PretrainSettings

__all__ = ["Training", "train_encoder"]


@dataclass(frozen=True)
class Training:
    """Number of updates, and of environment steps in the training frames."""

    updates: int
    n_steps: int

    def title(self, method: str) -> str:
        """Return the name of the encoder in tables, with both numbers."""
        return f"{method} ({self.updates} updates, {self.n_steps} steps)"


def train_encoder(
    method: str,
    game: str,
    seed: int,
    training: Training,
    collection: AtariSettings,
    folder: Path,
    device: str,
) -> Path:
    """Train AtariARI's network by `method`, starting from `random-cnn` of the same seed.

    Return the folder of the encoder.  An interrupted training resumes.  The training frames stay in `folder`
    for other methods.
    """
    run = folder / f"{method}-{training.updates}-{training.n_steps}"
    encoder = run / "encoder"
    if (encoder / "config.json").exists():
        return encoder
    frames = folder / f"frames-train-{training.n_steps}"
    store: FrameStore = collect_atari(
        game, training.n_steps, seed + PRETRAINING_SEED_OFFSET, frames, collection, progress=False
    )
    start = folder / "start"
    random_cnn(store.frames.shape[1:], seed=seed, device=device).save(start)
    settings = PretrainSettings(
        method=method,
        data=(frames,),
        encoder=EncoderArgs(str(start)),
        updates=training.updates,
        preload_to_device=device != "cpu",
        seed=seed,
        device=device,
        threads=1 if device == "cpu" else 0,
    )
    with redirect_stdout(io.StringIO()):  # instructions for users
        pretrain(settings, folder=run, resume=(run / "settings.json").exists())
    return encoder
