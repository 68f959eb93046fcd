"""Segmentation masks of environments, by name.

`MaskedFrames`   frames with masks, and the names of the classes
`collect_masks`  frames with masks of a MuJoCo environment or an Atari game
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
    """Frames with a class for each pixel."""

    store: FrameStore
    """Frames with the array `mask`, uint8 [N, height, width]; pixels of value 255 are ignored."""
    classes: tuple[str, ...]
    """Names of the classes 0, 1, 2, ... of the masks."""


def collect_masks(
    name: str,
    n_frames: int,
    seed: int,
    folder: str | Path,
    image_size: tuple[int, int] = (64, 64),
    *,
    camera: str | None = None,
    progress: bool = True,
) -> MaskedFrames:
    """Collect frames with masks of a random policy in a new store at `folder`, or open a matching one.

    Args:
        name: a MuJoCo environment, such as "HalfCheetah-v5", or "pong", "breakout" or "freeway" in any
            spelling.
        n_frames: number of frames.
        seed: seed of the environment and of the actions.
        folder: folder of the store.
        image_size: height and width of frames and masks.
        camera: name of a camera of the MuJoCo model; not used for games.
        progress: show a progress bar.

    Raises:
        ValueError: see `collect_mujoco_masks` and `collect_atari_masks`.
    """
    if plain_name(name) in MASK_CLASSES or not re.search(r"-v\d+$", name):
        store = collect_atari_masks(name, n_frames, seed, folder, image_size, progress=progress)
    else:
        store = collect_mujoco_masks(
            name, n_frames, seed, folder, image_size, camera=camera, progress=progress
        )
    return MaskedFrames(store, class_names(store))
