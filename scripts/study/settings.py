"""What `rlpriors study` is told; apart from the rest so that `--help` need not import it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

import tyro

from rlpriors.scripts.pretrain.settings import read_options

__all__ = ["CONTROLS", "SPLITS", "StudyMode", "StudySettings"]

StudyMode = Literal["frozen", "full"]
SPLITS = ("far", "mid", "near", "target", "mix")
"""Where an encoder may learn from, the farthest first; "mix" takes as much of each."""
CONTROLS = ("none", "shuffled", "scratch")
"""No pretraining; pretraining on the target's frames with their pixels shuffled; no pretraining, and as
many images more to learn from labels as others had to learn without (by mode "full" alone)."""
WORLDS = ("halfcheetah", "pong", "breakout", "freeway")


@dataclass(frozen=True)
class StudySettings:
    """What `rlpriors study` does.

    Raises:
        ValueError: a field is out of its bounds, or two do not go together.
    """

    method: tyro.conf.Positional[str] = "mae"
    """How encoders learn: a name of rlpriors.representation.RECIPES."""

    data: str = "environments"
    """Where from: "environments", or coco:<folder> for COCO's photographs by what they show."""

    target: str = "halfcheetah"
    """What is asked in the end, the class of each pixel: halfcheetah, pong, breakout, freeway, or
    pet:<folder> for the Oxford-IIIT pets."""

    encoder: str = "vit-nano"
    """What learns, from a random start: vit-nano, vit-micro, vit-tiny, or another with maps."""

    options: str = "{}"
    """Options of the method, as JSON: '{"ratio": 0.6}'."""

    splits: tuple[str, ...] = ()
    """Only these; by default all of the data's, and the controls none, shuffled and scratch."""

    frames: int = 4000
    """Images in each split that is learned from."""

    noise: float = 0.0
    """The part of them that comes from the farthest split instead; of photographs, in "pets" and "animals"
    alone, from "no-animals", of which the other splits have some by themselves."""

    updates: int = 160
    """Of the pretraining; as many for every split."""

    batch_size: int = 256
    """Images in each of these."""

    labels: tuple[int, ...] = (8, 32, 128)
    """Labeled images that the segmentation is learned from."""

    modes: tuple[StudyMode, ...] = ("frozen", "full")
    """frozen: a head alone learns from labels; full: the encoder with it."""

    head: str = "patch"
    """What reads the encoder's maps: linear (a class for each patch), patch (linear too, with a class for
    each of its pixels), conv or pyramid."""

    layer_decay: float = 1.0
    """By how much the encoder's learning rate falls from each block to the one before it in mode "full":
    1 for all alike.  Deeper encoders like 0.65 to 0.75."""

    segmentation_updates: int = 300
    """Of 16 images each, by which the segmentation is learned."""

    test_frames: int = 256
    """Images that it is judged by."""

    size: int = 64
    """Rows and columns of every image."""

    seed: int = 0
    """Of all data, first weights and batches."""

    device: str = "auto"
    """"auto" (CUDA when there is one), "cpu", "cuda" or "cuda:<index>"."""

    amp: Literal["bf16", "fp16"] | None = None
    """Half precision while learning without labels, on a GPU."""

    def __post_init__(self) -> None:
        bounds = {"frames": 5, "test_frames": 5, "updates": 1, "batch_size": 1, "segmentation_updates": 1}
        for name, bound in bounds.items():  # a distance is cross-validated in 5 parts
            if getattr(self, name) < bound:
                raise ValueError(f"`{name}` must be at least {bound}. Received {getattr(self, name)}.")
        if not self.labels or min(self.labels) < 1:
            raise ValueError(f"`labels` must be one or more numbers above 0. Received {self.labels}.")
        if not self.modes or not set(self.modes) <= set(get_args(StudyMode)):
            raise ValueError(f"`modes` must be some of {get_args(StudyMode)}. Received {self.modes}.")
        if not 0 < self.layer_decay <= 1:
            raise ValueError(f"`layer_decay` must be in (0, 1]. Received {self.layer_decay}.")
        if not 0 <= self.noise < 1:
            raise ValueError(f"`noise` must be in [0, 1). Received {self.noise}.")
        if self.seed < 0:
            raise ValueError(f"`seed` must be at least 0. Received {self.seed}.")
        if self.size < 8:
            raise ValueError(f"`size` must be at least 8. Received {self.size}.")
        if self.batch_size > self.frames:
            raise ValueError(
                f"`batch_size` must be at most `frames`, {self.frames}. Received {self.batch_size}."
            )
        photographs = self.data.startswith("coco:"), self.target.startswith("pet:")
        if photographs[0] != photographs[1]:
            raise ValueError(
                "`data` coco:<folder> and `target` pet:<folder> go together, and so do environments. "
                f"Received {self.data!r} and {self.target!r}."
            )
        if not photographs[0] and (self.data != "environments" or self.target not in WORLDS):
            raise ValueError(
                f'`data` must be "environments" or coco:<folder>, and `target` one of {WORLDS} or '
                f"pet:<folder>. Received {self.data!r} and {self.target!r}."
            )
        read_options(self.options)

    @property
    def target_name(self) -> str:
        """The target in tables and folders."""
        return "pet" if self.target.startswith("pet:") else self.target

    @property
    def photographs(self) -> tuple[Path, Path] | None:
        """The folders of COCO and of the pets, where these are studied."""
        if not self.data.startswith("coco:"):
            return None
        return Path(self.data.removeprefix("coco:")), Path(self.target.removeprefix("pet:"))
