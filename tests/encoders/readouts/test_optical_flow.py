"""Optical flow of shifted textures, also against OpenCV."""

import numpy as np
import pytest
import torch
from textures import texture

from rlpriors.encoders.readouts.optical_flow import optical_flow

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


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
    flat = torch.full((1, 40, 40, 3), 90, dtype=torch.uint8)
    assert optical_flow(flat, flat + 20).abs().max() == 0  # a flash is no movement


def test_flow_does_not_depend_on_the_unit_of_brightness() -> None:
    before, now = texture(48), texture(48).roll(1, 2)
    as_float = optical_flow(now.float() / 255, before.float() / 255)
    torch.testing.assert_close(as_float, optical_flow(now, before), atol=1e-3, rtol=0)


def test_small_frames_have_a_flow() -> None:
    for side in (1, 2, 7):
        frames = torch.zeros(2, side, side, 1, dtype=torch.uint8)
        assert optical_flow(frames, frames).shape == (2, 2, side, side)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"window": 4}, "`window` must be odd"), ({"iterations": 0}, "`iterations` must be at least 1")],
)
def test_bad_input(arguments: dict[str, int], message: str) -> None:
    frames = torch.zeros(1, 8, 8, 1)
    with pytest.raises(ValueError, match=message):
        optical_flow(frames, frames, **arguments)
