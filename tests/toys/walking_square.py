"""Image data of a bright square that moves by its actions over a fixed background."""

from pathlib import Path

import numpy as np

from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore

SIZE = 40
MOVES = np.array([(0, 0), (0, 2), (0, -2), (2, 0), (-2, 0)])


def walk(rng: np.random.Generator, n_frames: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return frames, actions (0 to 4; the last one has no effect) and positions of one episode.

    Half of the actions circle the center, so that actions depend on the position.
    """
    yx = rng.integers(0, SIZE - 8, 2)
    background = np.add.outer(np.arange(SIZE), 2 * np.arange(SIZE)).astype(np.uint8)
    frames, act, positions = [], rng.integers(0, 5, n_frames), []
    circling = rng.random(n_frames) < 0.5
    for time in range(n_frames):
        frame = np.stack([background // 2, background // 3, background // 4], -1)
        y, x = yx
        frame[y : y + 8, x : x + 8] = (250, 200, 150)
        frames.append(frame)
        positions.append(yx.copy())
        if circling[time]:
            low, right = yx >= (SIZE - 8) / 2
            act[time] = (3 if right else 1) if not low else (2 if right else 4)
        yx = np.clip(yx + MOVES[act[time]], 0, SIZE - 8)
    return np.array(frames), act, np.array(positions)


def write_walks(folder: Path, n_episodes: int, seed: int) -> FrameStore:
    """Write episodes of 30 frames with actions and positions."""
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        for _ in range(n_episodes):
            frames, act, positions = walk(rng, 30)
            writer.add_episode(frames, act=act, position=positions)
    return writer.store
