"""Object boxes and masks of Atari games."""

import numpy as np
import pytest

from rlpriors.data.frame_cache import class_names
from rlpriors.data.frames import FrameStore
from rlpriors.envs.atari.masks import collect_atari_masks
from rlpriors.envs.atari.object_boxes import (
    BACKGROUNDS,
    FIELDS,
    MASK_CLASSES,
    atari_mask,
    object_boxes,
    shrink_mask,
)

COLORS = {
    ("pong", "player"): (92, 186, 92),
    ("pong", "opponent"): (213, 130, 74),
    ("pong", "ball"): (236, 236, 236),
}


@pytest.fixture(scope="module", params=MASK_CLASSES)
def game(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, FrameStore]:
    pytest.importorskip("ale_py", reason="needs the `atari` extra")
    name = str(request.param)
    folder = tmp_path_factory.mktemp(name) / "masks"
    return name, collect_atari_masks(name, 40, 0, folder, (210, 160), frame_interval=4, progress=False)


def test_boxes_lie_on_things_of_their_color(game: tuple[str, FrameStore]) -> None:
    """Most pixels of every box are drawn in its thing's color: the offsets of the memory are right."""
    name, store = game
    # Chickens are slender and cars have windows: little more than a third and half of their boxes.
    least = {"player": 0.25, "cars": 0.45} if name == "freeway" else {}
    top, bottom, left, right = FIELDS[name]
    shares: dict[str, list[float]] = {}
    for frame, ram in zip(store.frames, store.arrays["ram"], strict=True):
        for box in object_boxes(name, ram):
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
