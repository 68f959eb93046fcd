"""Frames with masks: parts of robots, things of games where the memory has them, and folders that say how."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rlpriors.data.frame_cache import class_names
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.masks import collect_atari_masks
from rlpriors.envs.atari.object_boxes import (
    object_boxes,
    shrink_mask,
)
from rlpriors.envs.mujoco.collect import collect_mujoco
from rlpriors.envs.mujoco.masks import collect_mujoco_masks
from rlpriors.envs.segmentation_masks import collect_masks

SMALL = (48, 48)


@pytest.fixture(scope="module")
def cheetah(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    folder = tmp_path_factory.mktemp("cheetah") / "masks"
    return collect_mujoco_masks("HalfCheetah-v5", 8, 0, folder, SMALL, max_episode_steps=20, progress=False)


def test_every_part_of_a_robot_is_a_class(cheetah: FrameStore) -> None:
    assert cheetah.frames.shape == (8, 48, 48, 3)
    assert cheetah.lengths.tolist() == [4, 4]  # every fifth of 20 steps
    names = class_names(cheetah)
    assert names[:4] == ("sky", "floor", "torso", "head")
    assert len(names) == 10
    masks = cheetah.arrays["mask"]
    assert set(np.unique(masks).tolist()) == set(range(1, 10))  # its camera sees no sky
    assert len({frame.tobytes() for frame in cheetah.frames}) == 8


def test_masks_lie_where_frames_show_the_robot(cheetah: FrameStore) -> None:
    """The floor is gray; all of the cheetah is colored."""
    colored = np.ptp(cheetah.frames.astype(int), axis=3) > 12
    robot = cheetah.arrays["mask"] > 1
    assert robot.sum() > 200
    assert (colored & robot).sum() > 0.9 * (colored | robot).sum()


def test_skies_are_seen_and_rendering_twice_changes_no_colors(tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    masked = collect_mujoco_masks(
        "Hopper-v5", 6, 3, tmp_path / "masks", SMALL, frame_interval=1, progress=False
    )
    sky = masked.arrays["mask"] == class_names(masked).index("sky")
    assert 0.05 < sky.mean() < 0.5
    assert (masked.frames[sky] == 0).all()  # the sky is not drawn
    plain = collect_mujoco("Hopper-v5", 6, 3, tmp_path / "frames", image_size=SMALL, progress=False)
    assert np.array_equal(masked.frames[:5], plain.frames[:5])  # random play of both is the same


def test_a_camera_of_the_model_follows_the_body(tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    options: dict[str, Any] = {"camera": "track", "progress": False}
    masked = collect_mujoco_masks(
        "HalfCheetah-v5", 6, 3, tmp_path / "masks", SMALL, frame_interval=1, **options
    )
    sky = masked.arrays["mask"] == class_names(masked).index("sky")
    assert 0.2 < sky.mean() < 0.8
    plain = collect_mujoco("HalfCheetah-v5", 6, 3, tmp_path / "frames", image_size=SMALL, **options)
    assert np.array_equal(masked.frames[:5], plain.frames[:5])
    fixed = collect_mujoco("HalfCheetah-v5", 6, 3, tmp_path / "fixed", image_size=SMALL, progress=False)
    assert np.array_equal(fixed.arrays["qpos"], plain.arrays["qpos"])
    assert not np.array_equal(fixed.frames, plain.frames)
    with pytest.raises(ValueError, match="`folder` must be new, or hold frames"):  # from elsewhere
        collect_mujoco("HalfCheetah-v5", 6, 3, tmp_path / "fixed", image_size=SMALL, **options)


def test_a_body_that_fell_goes_on_where_that_is_wished(tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    options: dict[str, Any] = {"frame_interval": 1, "max_episode_steps": 30, "progress": False}
    falls = collect_mujoco_masks("Hopper-v5", 60, 3, tmp_path / "falls", SMALL, **options)
    assert falls.n_episodes > 2
    on = collect_mujoco_masks(
        "Hopper-v5", 60, 3, tmp_path / "on", SMALL, continue_after_termination=True, **options
    )
    assert on.lengths.tolist() == [30, 30]
    first = int(falls.lengths[0])
    assert np.array_equal(on.frames[:first], falls.frames[:first])
    with pytest.raises(ValueError, match="`folder` must be new, or hold frames"):
        collect_mujoco_masks("Hopper-v5", 60, 3, tmp_path / "on", SMALL, **options)


def test_frames_are_collected_once(cheetah: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rlpriors.envs.mujoco.masks.make_mujoco")
    again = {"max_episode_steps": 20, "progress": False}
    store = collect_mujoco_masks("HalfCheetah-v5", 8, 0, cheetah.folder, SMALL, **again)
    assert np.array_equal(store.frames, cheetah.frames)
    with pytest.raises(ValueError, match=r"`folder` must be new, or hold frames of .*'seed': 1"):
        collect_mujoco_masks("HalfCheetah-v5", 8, 1, cheetah.folder, SMALL, **again)


def test_masks_are_collected_by_name(tmp_path: Path) -> None:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    for _ in range(2):
        found = collect_masks("ALE/Pong-v5", 5, 1, tmp_path / "pong", progress=False)
    assert found.classes == ("background", "player", "opponent", "ball")
    assert found.store.frames.shape == (5, 64, 64, 3)
    assert found.store.arrays["mask"].shape == (5, 64, 64)
    assert json.loads((tmp_path / "pong" / "masks.json").read_text())["game"] == "pong"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda p: collect_mujoco_masks("HalfCheetah-v5", 0, 0, p),
            "`frame_interval` and `max_episode_steps` must be",
        ),
        (lambda p: collect_mujoco_masks("CartPole-v1", 5, 0, p), "must be a MuJoCo environment"),
        (
            lambda p: collect_masks("HalfCheetah-v5", 5, 0, p, camera="above"),
            r"`camera` must be one of \['track'\], the cameras of HalfCheetah-v5\. Received 'above'",
        ),
        (
            lambda p: collect_atari_masks("pong", 5, 0, p, frame_interval=0),
            "`n_frames` and `frame_interval` must be at least 1",
        ),
        (lambda p: collect_atari_masks("pong", 5, 0, p, (300, 100)), r"`image_size` must be .*\(210, 160\)"),
        (lambda p: collect_masks("seaquest", 5, 0, p), "`game` must be one of pong, breakout, freeway"),
        (lambda p: object_boxes("pong", np.zeros(100, np.uint8)), "`ram` must be 128 bytes"),
        (lambda p: shrink_mask(np.zeros((4, 4), np.uint8), (8, 4)), r"`size` must be at least 1 and at most"),
    ],
)
def test_what_cannot_be_collected_is_refused(
    without_type_checks: None, call: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "new")
    assert not (tmp_path / "new").exists()
