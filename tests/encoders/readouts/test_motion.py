"""Frame differences, motion energy and masks."""

import pytest
import torch
from textures import texture

from rlpriors.encoders.readouts.motion import (
    MotionMask,
    frame_difference,
    motion_energy,
    motion_mask,
)

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def test_frame_difference_sums_over_channels_without_wrapping() -> None:
    before = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    now = before.clone()
    before[0, 0, 0] = torch.tensor([255, 1])  # in uint8, 0 - 255 would be 1
    now[0, 0, 1] = torch.tensor([0, 7])
    assert frame_difference(now, before).tolist() == [[[256, 7]]]


def test_a_still_scene_has_no_energy() -> None:
    scene = texture(48)
    assert motion_energy(scene, scene, "flow").max() == 0  # exactly, or rounding would rank crops


def test_a_flat_area_next_to_a_moving_object_stays() -> None:
    before = torch.zeros(1, 80, 80, 1, dtype=torch.uint8)
    now = before.clone()
    before[0, 30:50, 30:50] = texture(20, 5)[0]
    now[0, 30:50, 32:52] = texture(20, 5)[0]
    energy = motion_energy(now, before, "flow")[0]
    assert energy[36:44, 38:46].mean() > 1
    energy[24:56, 24:58] = 0  # what the window around the patch's edges reaches
    assert energy.max() < 0.2


def test_difference_mask_is_a_margin_around_what_changed() -> None:
    before = torch.zeros(2, 9, 9, 3, dtype=torch.uint8)
    now = before.clone()
    now[0, 4, 4, 1] = 5
    mask = motion_mask(now, before, "difference", margin=2)
    expected = torch.zeros(9, 9)
    expected[2:7, 2:7] = 1
    assert torch.equal(mask[0], expected)
    assert bool((mask[1] == 1).all())  # nothing moved: the whole frame


def test_flow_mask_is_relative_to_the_largest_speed() -> None:
    before, now = texture(48), texture(48).roll(2, 2)
    mask, speed = motion_mask(now, before, "flow"), motion_energy(now, before, "flow")
    torch.testing.assert_close(mask, speed / speed.max())
    assert bool((motion_mask(now, now, "flow") == 1).all())


@pytest.mark.parametrize("device", DEVICES)
def test_motion_mask_readout(device: str) -> None:
    before = torch.full((2, 32, 32, 3), 50, dtype=torch.uint8, device=device)
    now = before.clone()
    now[0, :4, :4] = 99
    both = MotionMask("difference")
    views = both.make_views(now, before)
    assert views.indices.tolist() == [[0, 2], [1, 3]]
    assert views.positions.tolist() == [0, 0, 1, 1]
    (images,) = views.batches
    assert images.dtype == torch.uint8
    assert torch.equal(images[:2], now)
    assert torch.equal(images[2, :8, :8], now[0, :8, :8])
    assert images[2, 8:, 8:].max() == 0
    assert torch.equal(images[3], now[1])

    alone = MotionMask("difference", alone=True)
    views = alone.make_views(now, before)
    assert torch.equal(views.batches[0], images[2:])
    assert views.indices.tolist() == [[0], [1]]
    assert views.positions.tolist() == [1, 1]
    assert (both.views_per_frame, alone.views_per_frame) == (2, 1)


def test_bad_input() -> None:
    frames = torch.zeros(1, 8, 8, 1)
    with pytest.raises(ValueError, match="`measure` must be one of"):
        motion_energy(frames, frames, "speed")
