"""Settings of `rlpriors visualize`.

`VisualizeSettings`  settings of the command
`Method`             names of the maps
`HELP`               help of the command
"""

from dataclasses import dataclass
from typing import Literal

from rlpriors.scripts.encoder_args import EncoderArgs
from rlpriors.settings import check_fields

__all__ = ["HELP", "Method", "VisualizeSettings"]

HELP = """
The frames come from an environment under random actions:

    rlpriors visualize --env ALE/Pong-v5 --encoder dino-vits16
    rlpriors visualize --env HalfCheetah-v5 --encoder runs/cheetah/encoder --methods saliency
    rlpriors visualize --env Reacher-v5 --encoder dinov2-small --n-frames 8 --frame-interval 5

It writes runs/visualize-<env>-<encoder>: maps.png with a row per frame and a column per method, and the same
images in tensorboard/.
"""

Method = Literal["attention", "rollout", "energy", "saliency"]


@dataclass(frozen=True)
class VisualizeSettings:
    """Settings of `rlpriors visualize`.

    Raises:
        ValueError: a field is out of its bounds.
    """

    env: str
    """Id of the environment, such as ALE/Pong-v5, or <module>:<id>."""

    encoder: EncoderArgs
    """Encoder that is visualized."""

    n_frames: int = 4
    """Number of frames."""

    frame_interval: int = 30
    """Number of random steps between two frames."""

    methods: tuple[Method, ...] = ()
    """Maps to draw: attention, rollout, energy, saliency; all that the encoder has by default."""

    image_size: tuple[int, int] = (224, 224)
    """Height and width of rendered frames, for an environment without images in its observation."""

    seed: int = 0
    """Random seed of the environment, the actions and random weights."""

    device: str = "auto"
    """Device of the encoder: "auto" (CUDA if available), "cpu", "cuda" or "cuda:<index>"."""

    def __post_init__(self) -> None:
        check_fields(self)
        for name in ("n_frames", "frame_interval"):
            if getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received {getattr(self, name)}.")
