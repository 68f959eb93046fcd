"""Collection of Atari frames with masks."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlpriors.data.frame_cache import class_names
from rlpriors.envs.atari.masks import collect_atari_masks

SMALL = (48, 48)


def test_games_without_masks_are_kept_in_the_same_way(tmp_path: Path) -> None:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    options: dict[str, Any] = {"image_size": SMALL, "progress": False}
    masked = collect_atari_masks("pong", 5, 0, tmp_path / "masked", **options)
    plain = collect_atari_masks("pong", 5, 0, tmp_path / "plain", masks=False, **options)
    assert np.array_equal(masked.frames, plain.frames)
    assert sorted(plain.arrays) == ["ram"]
    with pytest.raises(FileNotFoundError, match=r"has no classes\.json"):
        class_names(plain)
    other = collect_atari_masks("boxing", 3, 0, tmp_path / "boxing", masks=False, **options)
    assert other.frames.shape == (3, 48, 48, 3)
    with pytest.raises(ValueError, match="`folder` must be new"):
        collect_atari_masks("pong", 5, 0, tmp_path / "plain", **options)
