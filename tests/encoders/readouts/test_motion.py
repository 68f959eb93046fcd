"""Frame differences, flow and masks, also against OpenCV."""

import numpy as np
import pytest
import torch

from rlpriors.encoders.readouts.motion import (
    MotionMask,
    frame_difference,
    motion_energy,
    motion_mask,
    optical_flow,
)

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def texture(side: int = 96, cells: int = 16, seed: int = 0) -> torch.Tensor:
    """A smooth random picture, [1, side, side, 1] uint8."""
    noise = torch.rand(1, 1, cells, cells, generator=torch.Generator().manual_seed(seed))
    grown = torch.nn.functional.interpolate(noise, (side, side), mode="bicubic").clamp(0, 1)
    return (255 * grown).byte()[0, 0][None, ..., None]


def test_frame_difference_sums_over_channels_without_wrapping() -> None:
    before = torch.zeros(1, 1, 2, 2, dtype=torch.uint8)
    now = before.clone()
    before[0, 0, 0] = torch.tensor([255, 1])  # in uint8, 0 - 255 would be 1
    now[0, 0, 1] = torch.tensor([0, 7])
    assert frame_difference(now, before).tolist() == [[[256, 7]]]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize(("x", "y"), [(1, 0), (0, -1), (2, 1), (-5, 3), (6, -4)])
def test_flow_of_a_shifted_picture(x: int, y: int, device: str) -> None:
    scene = texture(128)
    before, now = scene[:, 16:-16, 16:-16], scene[:, 16 - y : 112 - y, 16 - x : 112 - x]
    flow = optical_flow(now.to(device), before.to(device))[0, :, 16:-16, 16:-16].flatten(1).cpu()
    torch.testing.assert_close(flow.median(1).values, torch.tensor([x, y]).float(), atol=0.1, rtol=0)
    assert (flow - torch.tensor([x, y]).float()[:, None]).abs().mean() < 0.2


def test_flow_agrees_with_farneback() -> None:
    cv2 = pytest.importorskip("cv2", reason="opencv comes with the extra `atari`")
    scene = texture(128, seed=3)
    before, now = scene[:, 16:-16, 16:-16], scene[:, 14:110, 19:115]  # moved by x -3, y 2
    ours = optical_flow(now, before)[0].permute(1, 2, 0).numpy()
    # OpenCV answers for the pixels of its first picture: from there to the second.
    theirs = -cv2.calcOpticalFlowFarneback(
        now[0, ..., 0].numpy(), before[0, ..., 0].numpy(), None, 0.5, 3, 15, 3, 5, 1.2, 0
    )
    inside = np.abs(ours - theirs)[16:-16, 16:-16]
    assert inside.mean() < 0.1


def test_nothing_moves_in_a_still_or_flat_picture() -> None:
    scene = texture(48)
    assert optical_flow(scene, scene).abs().max() < 1e-4
    assert motion_energy(scene, scene, "flow").max() == 0  # exactly, or rounding would rank crops
    flat = torch.full((1, 40, 40, 3), 90, dtype=torch.uint8)
    assert optical_flow(flat, flat + 20).abs().max() == 0  # a flash is no movement


def test_a_flat_area_beside_something_moving_stays() -> None:
    before = torch.zeros(1, 80, 80, 1, dtype=torch.uint8)
    now = before.clone()
    before[0, 30:50, 30:50] = texture(20, 5)[0]
    now[0, 30:50, 32:52] = texture(20, 5)[0]
    energy = motion_energy(now, before, "flow")[0]
    assert energy[36:44, 38:46].mean() > 1
    energy[24:56, 24:58] = 0  # what the window around the patch's edges reaches
    assert energy.max() < 0.2


def test_flow_does_not_depend_on_the_unit_of_brightness() -> None:
    before, now = texture(48), texture(48).roll(1, 2)
    as_float = optical_flow(now.float() / 255, before.float() / 255)
    torch.testing.assert_close(as_float, optical_flow(now, before), atol=1e-3, rtol=0)


def test_small_frames_have_a_flow() -> None:
    for side in (1, 2, 7):
        frames = torch.zeros(2, side, side, 1, dtype=torch.uint8)
        assert optical_flow(frames, frames).shape == (2, 2, side, side)


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
    views = both.views(now, before)
    assert views.order.tolist() == [[0, 2], [1, 3]]
    assert views.positions.tolist() == [0, 0, 1, 1]
    (images,) = views.parts
    assert images.dtype == torch.uint8
    assert torch.equal(images[:2], now)
    assert torch.equal(images[2, :8, :8], now[0, :8, :8])
    assert images[2, 8:, 8:].max() == 0
    assert torch.equal(images[3], now[1])

    alone = MotionMask("difference", alone=True)
    views = alone.views(now, before)
    assert torch.equal(views.parts[0], images[2:])
    assert views.order.tolist() == [[0], [1]]
    assert views.positions.tolist() == [1, 1]
    assert (both.views_per_frame, alone.views_per_frame) == (2, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"window": 4}, "`window` must be odd"), ({"iterations": 0}, "`iterations` must be at least 1")],
)
def test_bad_input(arguments: dict[str, int], message: str) -> None:
    frames = torch.zeros(1, 8, 8, 1)
    with pytest.raises(ValueError, match=message):
        optical_flow(frames, frames, **arguments)
    with pytest.raises(ValueError, match="`by` must be one of"):
        motion_energy(frames, frames, "speed")
