"""Folders of frames that are collected once."""

from pathlib import Path

import numpy as np
import pytest

from rlpriors.data.frame_cache import class_names
from rlpriors.data.frame_writer import FrameWriter
from rlpriors.data.frames import FrameStore


def test_classes_of_other_stores_are_unknown(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "bare") as writer:
        writer.add_episode(np.zeros((3, 4, 4, 1), np.uint8))
    with pytest.raises(FileNotFoundError, match=r"`store` must come from .* has no classes.json"):
        class_names(FrameStore.open(tmp_path / "bare"))
