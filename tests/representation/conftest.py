"""Frames of the walking square, for training and for validation."""

import pytest
from walking_square import write_walks

from rlpriors.data.frames import FrameStore


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Twelve episodes."""
    return write_walks(tmp_path_factory.mktemp("frames") / "square", 12, seed=0)


@pytest.fixture(scope="session")
def others(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    """Six other episodes of the same environment."""
    return write_walks(tmp_path_factory.mktemp("others") / "square", 6, seed=1)
