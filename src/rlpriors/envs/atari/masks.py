"""Frames of Atari games with the thing that each pixel shows, for segmentation.

`collect_atari_masks`  plays at random, and looks up in the console's memory what is drawn where

The arrays of the store are `mask`, uint8 [N, height, width], whose classes `frame_folders.class_names`
names, and `ram` [128]; of games whose pictures nobody looked up, `ram` alone.
"""

from pathlib import Path

import numpy as np
from gymnasium.spaces import Discrete
from tqdm import tqdm

from rlpriors.data.frame_cache import found, held_actions, publishing
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.collect import AtariGame, AtariSettings
from rlpriors.envs.atari.object_boxes import MASK_CLASSES, SCREEN, atari_mask, shrink_frame, shrink_mask
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name

__all__ = ["collect_atari_masks"]

SKIP = 4
"""Emulated frames of a step, as agents play."""


def collect_atari_masks(
    game: str,
    frames: int,
    seed: int,
    folder: str | Path,
    size: tuple[int, int] = (64, 64),
    *,
    every: int = 8,
    masks: bool = True,
    progress: bool = True,
) -> FrameStore:
    """Play "pong", "breakout" or "freeway"; keep every `every`-th frame with its mask, or open what is there.

    Without `masks` any game is played, and frames are kept in the same way.

    Actions are drawn at random and each is held for 1 to 8 steps of four emulated frames.  A frame here is
    the last of these alone, in color: agents see the brighter of two, where what moves is seen twice.

    Raises:
        ValueError: the game has no masks, or there is none such; a number is below 1, `size` is larger than
            210 x 160, or `folder` holds something else.
    """
    rom = game_name(game, tuple(MASK_CLASSES) if masks else PAPER_GAMES)
    if min(frames, every) < 1:
        raise ValueError(f"`frames` and `every` must be at least 1. Received {frames}, {every}.")
    if not (1 <= size[0] <= SCREEN[0] and 1 <= size[1] <= SCREEN[1]):
        raise ValueError(f"`size` must be at least 1 and at most {SCREEN}. Received {size}.")
    folder = Path(folder)
    plan = {"game": rom, "frames": frames, "seed": seed, "size": list(size), "every": every}
    if not masks:
        plan["masks"] = False
    there = found(folder, "masks.json", plan)
    if there is not None:
        return there
    chances = np.random.default_rng(seed)
    # The emulator is told every frame, so that each is seen alone.
    settings = AtariSettings(gray=False, frame_skip=1, environments=1)
    player = AtariGame(rom, int(chances.integers(2**31)), settings)
    actions = held_actions(Discrete(len(player.actions)), chances)
    more = {"classes": MASK_CLASSES[rom]} if masks else {}
    with (
        publishing(folder, masks=plan, **more) as writer,
        tqdm(total=frames, desc=rom, unit="frame", disable=not progress) as bar,
    ):
        kept = time = 0
        while kept < frames:
            player.begin()
            before, over = kept, False
            while not over and kept < frames:
                if time % every == 0:
                    frame, ram = player.frame(), player.ram()
                    drawn = {"mask": shrink_mask(atari_mask(rom, frame, ram), size)} if masks else {}
                    writer.append(shrink_frame(frame, size), **drawn, ram=ram)
                    kept += 1
                    bar.update(1)
                time += 1
                action = next(actions)
                for _ in range(SKIP):
                    _, terminated, truncated = player.step(action)
                    over = terminated or truncated
                    if over:
                        break
            if kept > before:
                writer.end_episode()
    return FrameStore.open(folder)
