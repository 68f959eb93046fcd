"""Segmentation masks of Atari games.

`collect_atari_masks`  frames of a random policy, with masks computed from the console's RAM

The store has the arrays `ram` [128] and `mask`, uint8 [N, height, width];
`rlpriors.data.frame_cache.class_names` returns the names of the classes.
"""

from pathlib import Path

import numpy as np
from gymnasium.spaces import Discrete
from tqdm import tqdm

from rlpriors.data.frame_cache import atomic_writer, load_if_matching
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.game import AtariGame, AtariSettings
from rlpriors.envs.atari.object_boxes import MASK_CLASSES, SCREEN, atari_mask, shrink_frame, shrink_mask
from rlpriors.envs.atari.ram_annotations import PAPER_GAMES, game_name
from rlpriors.envs.rollout import sticky_actions

__all__ = ["collect_atari_masks"]

FRAME_SKIP = 4
"""Number of emulated frames of a step, the usual value for agents."""


def collect_atari_masks(
    game: str,
    n_frames: int,
    seed: int,
    folder: str | Path,
    image_size: tuple[int, int] = (64, 64),
    *,
    frame_interval: int = 8,
    masks: bool = True,
    progress: bool = True,
) -> FrameStore:
    """Collect frames with masks of Pong, Breakout or Freeway at `folder`, or open a matching store.

    The policy repeats each random action for 1 to 8 steps of four emulated frames.  The store has the frame
    of each `frame_interval`-th step: the last emulated frame, in color.  (Agents usually receive the maximum
    of two frames, which shows moving objects twice.)

    Args:
        game: name of the game, in any spelling.
        n_frames: number of frames.
        seed: seed of the game and of the actions.
        folder: folder of the store.
        image_size: height and width of frames and masks, at most 210 x 160.
        frame_interval: number of steps between two frames.
        masks: with False, any game of the AtariARI paper is allowed and the store has no masks.
        progress: show a progress bar.

    Raises:
        ValueError: the game is unknown or has no masks, a number is below 1, `image_size` is larger than
            210 x 160, or `folder` holds frames of other settings.
    """
    rom = game_name(game, tuple(MASK_CLASSES) if masks else PAPER_GAMES)
    if min(n_frames, frame_interval) < 1:
        raise ValueError(
            f"`n_frames` and `frame_interval` must be at least 1. Received {n_frames}, {frame_interval}."
        )
    if not (1 <= image_size[0] <= SCREEN[0] and 1 <= image_size[1] <= SCREEN[1]):
        raise ValueError(f"`image_size` must be at least 1 and at most {SCREEN}. Received {image_size}.")
    folder = Path(folder)
    plan = {
        "game": rom,
        "frames": n_frames,
        "seed": seed,
        "size": list(image_size),
        "every": frame_interval,
    }
    if not masks:
        plan["masks"] = False
    store = load_if_matching(folder, "masks.json", plan)
    if store is not None:
        return store
    rng = np.random.default_rng(seed)
    # A frame skip of 1, so that each emulated frame can be stored alone.
    settings = AtariSettings(gray=False, frame_skip=1, n_envs=1)
    emulator = AtariGame(rom, int(rng.integers(2**31)), settings)
    actions = sticky_actions(Discrete(len(emulator.actions)), rng)
    files = {"classes": MASK_CLASSES[rom]} if masks else {}
    with (
        atomic_writer(folder, masks=plan, **files) as writer,
        tqdm(total=n_frames, desc=rom, unit="frame", disable=not progress) as bar,
    ):
        n_written = time = 0
        while n_written < n_frames:
            emulator.begin()
            n_before, done = n_written, False
            while not done and n_written < n_frames:
                if time % frame_interval == 0:
                    frame, ram = emulator.frame(), emulator.ram()
                    mask = {"mask": shrink_mask(atari_mask(rom, frame, ram), image_size)} if masks else {}
                    writer.append(shrink_frame(frame, image_size), **mask, ram=ram)
                    n_written += 1
                    bar.update(1)
                time += 1
                action = next(actions)
                for _ in range(FRAME_SKIP):
                    _, terminated, truncated = emulator.step(action)
                    done = terminated or truncated
                    if done:
                        break
            if n_written > n_before:
                writer.end_episode()
    return FrameStore.open(folder)
