"""Frames with the class of each pixel, of whatever is played.

`MaskedFrames`   frames, their masks and what these mean
`collect_masks`  of a MuJoCo environment or an Atari game, by its name
"""

import re
from pathlib import Path
from typing import NamedTuple

from rlpriors.data.frame_cache import class_names
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.masks import collect_atari_masks
from rlpriors.envs.atari.object_boxes import MASK_CLASSES
from rlpriors.envs.atari.ram_annotations import plain_name
from rlpriors.envs.mujoco.masks import collect_mujoco_masks

__all__ = ["MaskedFrames", "collect_masks"]


class MaskedFrames(NamedTuple):
    """Frames whose every pixel has a class."""

    store: FrameStore
    """With the array `mask`, uint8 [N, height, width]; 255 is not judged."""
    classes: tuple[str, ...]
    """What the numbers 0, 1, 2, ... of the masks mean."""


def collect_masks(
    name: str,
    frames: int,
    seed: int,
    folder: str | Path,
    size: tuple[int, int] = (64, 64),
    *,
    camera: str | None = None,
    progress: bool = True,
) -> MaskedFrames:
    """Play `name` at random for `frames` frames with masks, or open those that are at `folder` already.

    `camera` is one of a MuJoCo model's; games have none.

    "HalfCheetah-v5" and its like are MuJoCo's; "pong", "breakout" and "freeway" are games, in any spelling.

    Raises:
        ValueError: see `collect_mujoco_masks` and `collect_atari_masks`.
    """
    game = plain_name(name) in MASK_CLASSES or not re.search(r"-v\d+$", name)
    if game:
        store = collect_atari_masks(name, frames, seed, folder, size, progress=progress)
    else:
        store = collect_mujoco_masks(name, frames, seed, folder, size, camera=camera, progress=progress)
    return MaskedFrames(store, class_names(store))
