"""Fusion of the encodings of consecutive frames."""

import pytest
import torch

from rlpriors.encoders.readouts.frame_fusion import FRAME_FUSIONS, fuse_frames, fused_shape

STACK = torch.tensor([[[1.0, 10.0], [3.0, 40.0], [6.0, 90.0]]])  # oldest first


@pytest.mark.parametrize(
    ("fusion", "expected"),
    [
        ("concat", [[1, 10, 3, 40, 6, 90]]),
        ("flare", [[6, 90, 2, 30, 3, 50]]),
        ("stack", [[[1, 10], [3, 40], [6, 90]]]),
    ],
)
def test_hand_worked_numbers(fusion: str, expected: list[object]) -> None:
    assert fuse_frames(STACK, fusion).tolist() == expected


@pytest.mark.parametrize("fusion", FRAME_FUSIONS)
@pytest.mark.parametrize("shape", [(5,), (5, 2, 3), ()])
@pytest.mark.parametrize("n_frames", [1, 4])
def test_shapes(fusion: str, shape: tuple[int, ...], n_frames: int) -> None:
    stack = torch.rand(2, n_frames, *shape)
    fused = fuse_frames(stack, fusion)
    assert fused.shape == (2, *fused_shape(shape, n_frames, fusion))
    assert fused.numel() == stack.numel()


def test_one_frame_is_itself() -> None:
    assert torch.equal(fuse_frames(STACK[:, :1], "flare"), fuse_frames(STACK[:, :1], "concat"))


def test_flare_of_a_still_picture_has_no_changes() -> None:
    still = torch.rand(2, 1, 3).expand(2, 4, 3)
    assert bool((fuse_frames(still, "flare")[:, 3:] == 0).all())


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"`fuse` must be one of.*Did you mean 'flare'"):
        fuse_frames(STACK, "flair")
    with pytest.raises(ValueError, match="`n_frames` must be at least 1"):
        fused_shape((3,), 0)
