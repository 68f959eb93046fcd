"""A toy world of pictures: a bright square that walks where its actions say, over a fixed backdrop."""

from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore, FrameWriter

SIZE = 40
MOVES = np.array([(0, 0), (0, 2), (0, -2), (2, 0), (-2, 0)])


def walk(rng: np.random.Generator, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, actions (0 to 4; that of the last frame says nothing) and positions of one episode."""
    yx = rng.integers(0, SIZE - 8, 2)
    backdrop = np.add.outer(np.arange(SIZE), 2 * np.arange(SIZE)).astype(np.uint8)
    frames, act, positions = [], rng.integers(0, 5, steps), []
    for move in act:
        frame = np.stack([backdrop // 2, backdrop // 3, backdrop // 4], -1)
        y, x = yx
        frame[y : y + 8, x : x + 8] = (250, 200, 150)
        frames.append(frame)
        positions.append(yx.copy())
        yx = np.clip(yx + MOVES[move], 0, SIZE - 8)
    return np.array(frames), act, np.array(positions)


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Twelve episodes of 30 frames, with actions and the square's positions."""
    folder: Path = tmp_path_factory.mktemp("frames") / "square"
    rng = np.random.default_rng(0)
    with FrameWriter(folder) as writer:
        for _ in range(12):
            frames, act, positions = walk(rng, 30)
            writer.add_episode(frames, act=act, position=positions)
    return writer.store
