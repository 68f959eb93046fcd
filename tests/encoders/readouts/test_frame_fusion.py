"""Stacks of encodings to one vector."""

import pytest
import torch

from rlpriors.encoders.readouts.frame_fusion import FUSES, fuse, fuse_shape

STACK = torch.tensor([[[1.0, 10.0], [3.0, 40.0], [6.0, 90.0]]])  # oldest first


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ("concat", [[1, 10, 3, 40, 6, 90]]),
        ("flare", [[6, 90, 2, 30, 3, 50]]),
        ("stack", [[[1, 10], [3, 40], [6, 90]]]),
    ],
)
def test_hand_worked_numbers(how: str, expected: list[object]) -> None:
    assert fuse(STACK, how).tolist() == expected


@pytest.mark.parametrize("how", FUSES)
@pytest.mark.parametrize("shape", [(5,), (5, 2, 3), ()])
@pytest.mark.parametrize("frames", [1, 4])
def test_shapes(how: str, shape: tuple[int, ...], frames: int) -> None:
    stack = torch.rand(2, frames, *shape)
    fused = fuse(stack, how)
    assert fused.shape == (2, *fuse_shape(shape, frames, how))
    assert fused.numel() == stack.numel()


def test_one_frame_is_itself() -> None:
    assert torch.equal(fuse(STACK[:, :1], "flare"), fuse(STACK[:, :1], "concat"))


def test_flare_of_a_still_picture_has_no_changes() -> None:
    still = torch.rand(2, 1, 3).expand(2, 4, 3)
    assert bool((fuse(still, "flare")[:, 3:] == 0).all())


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"`fuse` must be one of.*Did you mean 'flare'"):
        fuse(STACK, "flair")
    with pytest.raises(ValueError, match="`frames` must be at least 1"):
        fuse_shape((3,), 0)
