"""Settings of `rlpriors encode`.

`EncodeSettings`  settings of the command
`HELP`            help of the command
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rlpriors.scripts.encoder_args import FrozenEncoderArgs
from rlpriors.settings import check_fields

__all__ = ["HELP", "EncodeSettings"]

HELP = """
Training on the features needs neither the frames nor the encoder:

    rlpriors encode --source demos/pong --encoder dinov2-small --folder features/pong
    rlpriors encode --source demos/pong --encoder runs/pong/encoder --readout "grid(2)" --folder features/grid
    rlpriors encode --source mujoco/pusher/images-v0 --encoder nature-cnn --weights none --folder features/x

It writes the features, actions and rewards to --folder.  `load_encoded(folder)` of
rlpriors.encoders.dataset.encoded_dataset reads them.
"""


@dataclass(frozen=True)
class EncodeSettings:
    """Settings of `rlpriors encode`."""

    source: str
    """Id of an installed Minari data set, or the folder of a FrameStore."""

    encoder: FrozenEncoderArgs
    """Encoder of the frames."""

    folder: Path
    """Folder of the features."""

    obs_keys: tuple[str, ...] = ()
    """Leaf of Dict observations that is the image; needed if several leaves are images."""

    dtype: Literal["float16", "float32"] = "float16"
    """Number format of the stored features."""

    batch_size: int = 256
    """Number of frames in a batch."""

    dedup: bool = True
    """Encoding of each distinct frame only once."""

    resume: bool = True
    """Resuming of an unfinished run in the folder; --no-resume starts it again."""

    device: str = "auto"
    """Device of the encoder: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    seed: int = 0
    """Random seed of random weights."""

    def __post_init__(self) -> None:
        check_fields(self)
