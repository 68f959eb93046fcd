"""A toy world of pictures: a bright square that walks where its actions say, over a fixed backdrop."""

from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frames import FrameStore, FrameWriter

SIZE = 40
MOVES = np.array([(0, 0), (0, 2), (0, -2), (2, 0), (-2, 0)])


def walk(rng: np.random.Generator, steps: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Frames, actions (0 to 4; that of the last frame says nothing) and positions of one episode.

    Half of the actions go round the middle, so that something can be learned from what is done where.
    """
    yx = rng.integers(0, SIZE - 8, 2)
    backdrop = np.add.outer(np.arange(SIZE), 2 * np.arange(SIZE)).astype(np.uint8)
    frames, act, positions = [], rng.integers(0, 5, steps), []
    around = rng.random(steps) < 0.5
    for time in range(steps):
        frame = np.stack([backdrop // 2, backdrop // 3, backdrop // 4], -1)
        y, x = yx
        frame[y : y + 8, x : x + 8] = (250, 200, 150)
        frames.append(frame)
        positions.append(yx.copy())
        if around[time]:
            low, right = yx >= (SIZE - 8) / 2
            act[time] = (3 if right else 1) if not low else (2 if right else 4)
        yx = np.clip(yx + MOVES[act[time]], 0, SIZE - 8)
    return np.array(frames), act, np.array(positions)


def world(folder: Path, episodes: int, seed: int) -> FrameStore:
    """Episodes of 30 frames, with actions and the square's positions."""
    rng = np.random.default_rng(seed)
    with FrameWriter(folder) as writer:
        for _ in range(episodes):
            frames, act, positions = walk(rng, 30)
            writer.add_episode(frames, act=act, position=positions)
    return writer.store


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Twelve episodes."""
    return world(tmp_path_factory.mktemp("frames") / "square", 12, seed=0)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Six others of the same world."""
    return world(tmp_path_factory.mktemp("others") / "square", 6, seed=1)
