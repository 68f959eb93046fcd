"""Frames with masks: parts of robots, things of games where the memory has them, and folders that say how."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from gymnasium.spaces import Box as BoxSpace
from gymnasium.spaces import Discrete

from rlpriors.data.frame_cache import class_names, held_actions
from rlpriors.data.frames import FrameStore, FrameWriter
from rlpriors.envs.atari.masks import collect_atari_masks
from rlpriors.envs.atari.object_boxes import BACKGROUNDS, FIELDS, MASK_CLASSES, atari_mask, boxes, shrink_mask
from rlpriors.envs.mujoco.collect import collect_mujoco
from rlpriors.envs.mujoco.masks import collect_mujoco_masks
from rlpriors.envs.segmentation_masks import collect_masks

SMALL = (48, 48)


# --- MuJoCo


@pytest.fixture(scope="module")
def cheetah(tmp_path_factory: pytest.TempPathFactory) -> FrameStore:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    folder = tmp_path_factory.mktemp("cheetah") / "masks"
    return collect_mujoco_masks("HalfCheetah-v5", 8, 0, folder, SMALL, episode_steps=20, progress=False)


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
    masked = collect_mujoco_masks("Hopper-v5", 6, 3, tmp_path / "masks", SMALL, every=1, progress=False)
    sky = masked.arrays["mask"] == class_names(masked).index("sky")
    assert 0.05 < sky.mean() < 0.5
    assert (masked.frames[sky] == 0).all()  # the sky is not drawn
    plain = collect_mujoco("Hopper-v5", 6, 3, tmp_path / "frames", size=SMALL, progress=False)
    assert np.array_equal(masked.frames[:5], plain.frames[:5])  # random play of both is the same


def test_a_camera_of_the_model_follows_the_body(tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    options: dict[str, Any] = {"camera": "track", "progress": False}
    masked = collect_mujoco_masks("HalfCheetah-v5", 6, 3, tmp_path / "masks", SMALL, every=1, **options)
    sky = masked.arrays["mask"] == class_names(masked).index("sky")
    assert 0.2 < sky.mean() < 0.8
    plain = collect_mujoco("HalfCheetah-v5", 6, 3, tmp_path / "frames", size=SMALL, **options)
    assert np.array_equal(masked.frames[:5], plain.frames[:5])
    fixed = collect_mujoco("HalfCheetah-v5", 6, 3, tmp_path / "fixed", size=SMALL, progress=False)
    assert np.array_equal(fixed.arrays["qpos"], plain.arrays["qpos"])
    assert not np.array_equal(fixed.frames, plain.frames)
    with pytest.raises(ValueError, match="`folder` must be new, or hold frames"):  # from elsewhere
        collect_mujoco("HalfCheetah-v5", 6, 3, tmp_path / "fixed", size=SMALL, **options)


def test_a_body_that_fell_goes_on_where_that_is_wished(tmp_path: Path) -> None:
    pytest.importorskip("mujoco", reason="needs the `maze` extra")
    options: dict[str, Any] = {"every": 1, "episode_steps": 30, "progress": False}
    falls = collect_mujoco_masks("Hopper-v5", 60, 3, tmp_path / "falls", SMALL, **options)
    assert falls.n_episodes > 2
    on = collect_mujoco_masks("Hopper-v5", 60, 3, tmp_path / "on", SMALL, past_the_end=True, **options)
    assert on.lengths.tolist() == [30, 30]
    first = int(falls.lengths[0])
    assert np.array_equal(on.frames[:first], falls.frames[:first])
    with pytest.raises(ValueError, match="`folder` must be new, or hold frames"):
        collect_mujoco_masks("Hopper-v5", 60, 3, tmp_path / "on", SMALL, **options)


def test_frames_are_collected_once(cheetah: FrameStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr("rlpriors.envs.mujoco.masks.make_mujoco")
    again = {"episode_steps": 20, "progress": False}
    store = collect_mujoco_masks("HalfCheetah-v5", 8, 0, cheetah.folder, SMALL, **again)
    assert np.array_equal(store.frames, cheetah.frames)
    with pytest.raises(ValueError, match=r"`folder` must be new, or hold frames of .*'seed': 1"):
        collect_mujoco_masks("HalfCheetah-v5", 8, 1, cheetah.folder, SMALL, **again)


# --- Atari


@pytest.fixture(scope="module", params=MASK_CLASSES)
def game(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, FrameStore]:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    name = str(request.param)
    folder = tmp_path_factory.mktemp(name) / "masks"
    return name, collect_atari_masks(name, 40, 0, folder, (210, 160), every=4, progress=False)


def test_games_without_masks_are_kept_in_the_same_way(tmp_path: Path) -> None:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    options: dict[str, Any] = {"size": SMALL, "progress": False}
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


def test_boxes_lie_on_things_of_their_color(game: tuple[str, FrameStore]) -> None:
    """Most pixels of every box are drawn in its thing's color: the offsets of the memory are right."""
    name, store = game
    # Chickens are slender and cars have windows: little more than a third and half of their boxes.
    least = {"player": 0.25, "cars": 0.45} if name == "freeway" else {}
    top, bottom, left, right = FIELDS[name]
    shares: dict[str, list[float]] = {}
    for frame, ram in zip(store.frames, store.arrays["ram"], strict=True):
        for box in boxes(name, ram):
            rows = slice(max(box.top, top), min(box.top + box.height, bottom))
            part = frame[rows, max(box.left, left) : min(box.left + box.width, right)]
            if box.label < 255 and part.size:
                own = (
                    (part != BACKGROUNDS[name]).any(-1) if box.color is None else (part == box.color).all(-1)
                )
                shares.setdefault(MASK_CLASSES[name][box.label], []).append(float(own.mean()))
    assert shares.keys() == set(MASK_CLASSES[name][1:])
    for thing, found in shares.items():
        assert np.median(found) > least.get(thing, 0.75), thing


COLORS = {
    ("pong", "player"): (92, 186, 92),
    ("pong", "opponent"): (213, 130, 74),
    ("pong", "ball"): (236, 236, 236),
}


def test_masks_miss_nothing_that_is_drawn(game: tuple[str, FrameStore]) -> None:
    name, store = game
    masks = store.arrays["mask"]
    assert class_names(store) == MASK_CLASSES[name]
    top, bottom, left, right = FIELDS[name]
    field, seen = store.frames[:, top:bottom, left:right], masks[:, top:bottom, left:right]
    if name == "pong":
        for number, thing in enumerate(MASK_CLASSES[name][1:], 1):
            assert np.array_equal(seen == number, (field == COLORS[name, thing]).all(-1)), thing
    elif name == "breakout":
        black = (field == 0).all(-1)
        black |= (np.arange(top, bottom) > 192)[:, None]  # the foot of the walls
        assert ((seen > 0) == ~black).mean() > 0.9999
    else:
        rows = np.arange(top, bottom)
        lanes = np.isin((rows - 27) % 16, range(10)) & (rows >= 27) & (rows < 181)
        gray = (field[:, lanes] == BACKGROUNDS[name]).all(-1)
        assert ((seen[:, lanes] > 0) == ~gray).mean() > 0.999
        assert (masks[:, 186:196, 107:116] == 255).any()  # the other chicken
    outside = masks.copy()
    outside[:, top:bottom, left:right] = 0
    assert not outside.any()


def test_smaller_masks_keep_small_things() -> None:
    mask = np.zeros((210, 160), np.uint8)
    for top in range(20, 200, 17):
        mask[top : top + 4, top // 2 : top // 2 + 2] = 3  # balls
    mask[50:100, 100:150] = 2
    small = shrink_mask(mask, (64, 64))
    assert set(np.unique(small).tolist()) == {0, 2, 3}
    rows = {int(row) // 5 for row in np.flatnonzero((small == 3).any(1))}
    assert len(rows) == 11
    assert (small == 2).mean() == pytest.approx((mask == 2).mean(), rel=0.1)
    assert np.array_equal(shrink_mask(mask, (210, 160)), mask)
    assert (shrink_mask(np.full((4, 4), 255, np.uint8), (2, 2)) == 255).all()


def test_masks_are_collected_by_name(tmp_path: Path) -> None:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    for _ in range(2):
        found = collect_masks("ALE/Pong-v5", 5, 1, tmp_path / "pong", progress=False)
    assert found.classes == ("background", "player", "opponent", "ball")
    assert found.store.frames.shape == (5, 64, 64, 3)
    assert found.store.arrays["mask"].shape == (5, 64, 64)
    assert json.loads((tmp_path / "pong" / "masks.json").read_text())["game"] == "pong"


# --- both


def test_actions_are_held() -> None:
    chances = np.random.default_rng(0)
    numbers = [next(actions) for actions in [held_actions(Discrete(9), chances)] for _ in range(400)]
    runs = np.diff(np.flatnonzero(np.diff(numbers, prepend=-1, append=-1)))
    assert 4 < runs.mean() < 6  # 4.5, and some are drawn twice
    space = BoxSpace(np.array([-1, 5], np.float32), np.array([1, 6], np.float32))
    action = next(held_actions(space, chances))
    assert action.dtype == np.float32
    assert space.contains(action)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: collect_mujoco_masks("HalfCheetah-v5", 0, 0, p), "`frames`, `every` and `episode_steps`"),
        (lambda p: collect_mujoco_masks("CartPole-v1", 5, 0, p), "must be a MuJoCo environment"),
        (
            lambda p: collect_masks("HalfCheetah-v5", 5, 0, p, camera="above"),
            r"`camera` must be one of HalfCheetah-v5's: \['track'\]\. Received 'above'",
        ),
        (lambda p: collect_atari_masks("pong", 5, 0, p, every=0), "`frames` and `every` must be at least 1"),
        (lambda p: collect_atari_masks("pong", 5, 0, p, (300, 100)), r"`size` must be .*\(210, 160\)"),
        (lambda p: collect_masks("seaquest", 5, 0, p), "`game` must be one of pong, breakout, freeway"),
        (lambda p: boxes("pong", np.zeros(100, np.uint8)), "`ram` must be 128 bytes"),
        (lambda p: shrink_mask(np.zeros((4, 4), np.uint8), (8, 4)), r"`size` must be at least 1 and at most"),
    ],
)
def test_what_cannot_be_collected_is_refused(
    without_type_checks: None, call: Any, message: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=message):
        call(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_classes_of_other_stores_are_unknown(tmp_path: Path) -> None:
    with FrameWriter(tmp_path / "bare") as writer:
        writer.add_episode(np.zeros((3, 4, 4, 1), np.uint8))
    with pytest.raises(FileNotFoundError, match=r"`store` must come from .* has no classes.json"):
        class_names(FrameStore.open(tmp_path / "bare"))


def test_a_things_pixels_are_those_of_its_color() -> None:
    """A ball of Pong at (100, 120): 4 rows from 106, 2 columns from 51; its box begins a row above."""
    ram = np.zeros(128, np.uint8)
    ram[49], ram[54] = 100, 120
    frame = np.zeros((210, 160, 3), np.uint8)
    frame[106:110, 51:53] = 236
    frame[10:20, 10:20] = 236  # another thing of this color
    mask = atari_mask("pong", frame, ram)
    assert mask.sum() == 3 * 8
    assert (mask[106:110, 51:53] == 3).all()
