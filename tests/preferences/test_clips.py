"""Segments of recorded episodes."""

import numpy as np
import pytest
from comparisons import counting_store, image_store

from rlpriors.preferences.clips import as_frames, clip_digest, cut_clip


def test_a_clip_by_hand() -> None:
    clip = cut_clip(counting_store(), 1, 2, 3)
    assert clip.obs[:, 0].tolist() == [102, 103, 104, 105]
    assert clip.act[:, 0].tolist() == clip.rew.tolist() == [102, 103, 104]
    assert clip.terminated.tolist() == [False, False, True]
    assert clip.frames is None


def test_a_clip_is_read_only() -> None:
    clip = cut_clip(image_store(), 0, 0, 2)
    assert clip.frames is not None
    for array in clip:
        with pytest.raises(ValueError, match="read-only"):
            array[:] = 0


@pytest.mark.parametrize(
    ("episode", "start", "length", "message"),
    [
        (2, 0, 3, "`episode` must be in 0..1, the episodes of `store`. Received 2."),
        (-1, 0, 3, "`episode` must be in 0..1"),
        (1, 3, 3, "leave 3 steps until the end of episode 1, which has 5 steps. Received 3"),
        (0, -1, 3, "`start` must be at least 0"),
        (0, 0, 0, "`length` must be at least 1. Received 0."),
    ],
)
def test_segments_outside_an_episode(episode: int, start: int, length: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        cut_clip(counting_store(), episode, start, length)


def test_frames_of_images() -> None:
    clip = cut_clip(image_store(), 0, 1, 2)
    assert clip.frames is not None
    assert clip.frames.shape == (3, 12, 12, 3)
    assert [int(frame[0, :, 0].argmax()) for frame in clip.frames] == [1, 2, 3]


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((2, 8, 9), (2, 8, 9, 3)),
        ((2, 8, 9, 1), (2, 8, 9, 3)),
        ((2, 8, 9, 4), (2, 8, 9, 3)),
        ((2, 3, 8, 9), (2, 8, 9, 3)),
        ((2, 4, 8, 9), (2, 8, 9, 3)),
    ],
)
def test_layouts_of_images(shape: tuple[int, ...], expected: tuple[int, ...]) -> None:
    frames = as_frames(np.zeros(shape, np.uint8))
    assert frames is not None
    assert frames.shape == expected


def test_the_last_image_of_a_stack_is_shown() -> None:
    stack = np.arange(4, dtype=np.uint8)[None, :, None, None].repeat(8, 2).repeat(9, 3)
    frames = as_frames(stack)
    assert frames is not None
    assert (frames == 3).all()


@pytest.mark.parametrize("shape", [(3, 20), (3,), (3, 7, 7, 3), (3, 9, 7), (3, 2, 2, 9, 9)])
def test_vectors_and_grids_of_symbols_are_no_images(shape: tuple[int, ...]) -> None:
    assert as_frames(np.zeros(shape, np.uint8)) is None


def test_fractions_are_no_images() -> None:
    assert as_frames(np.zeros((3, 20, 20, 3))) is None


def test_the_digest_ignores_rewards_only() -> None:
    clip = cut_clip(counting_store(), 0, 0, 3)
    assert clip_digest(clip) == clip_digest(clip._replace(rew=clip.rew + 1))
    assert clip_digest(clip) != clip_digest(clip._replace(act=clip.act + 1))
    assert clip_digest(clip) != clip_digest(cut_clip(counting_store(), 0, 1, 3))
