"""Augmentations of clips, with the same random parameters for all frames or separate ones."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rlpriors.encoders import load_encoder
from rlpriors.representation import View
from rlpriors.representation.clips import ClipBatch
from rlpriors.representation.transforms.augmentations import AUGMENTATIONS, Augment
from rlpriors.representation.transforms.views import ViewMaker

SIDE, CLIPS, FRAMES = 24, 8, 4
NAMES = [*AUGMENTATIONS, "shift+color-jitter+gaussian-blur", "translate+rotate+noise"]


def still() -> Tensor:
    """Clips in which nothing moves, all of one picture without symmetry."""
    image = 0.2 + 0.6 * torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return image.expand(CLIPS, FRAMES, 3, SIDE, SIDE).contiguous()


def changed(names: str, *, consistent: bool) -> Tensor:
    augment = Augment(names, size=(SIDE, SIDE), channels=3, consistent=consistent)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return augment(still())


def n_distinct(images: Tensor) -> int:
    """Return the number of different images."""
    return len({image.numpy().tobytes() for image in images})


@pytest.mark.parametrize("names", NAMES)
def test_frames_of_a_clip_share_parameters_and_clips_do_not(names: str) -> None:
    found = changed(names, consistent=True)
    assert [n_distinct(clip) for clip in found] == [1] * CLIPS
    assert n_distinct(found[:, 0]) > 1
    assert not torch.equal(found, still())


@pytest.mark.parametrize("names", NAMES)
def test_inconsistent_frames_of_a_clip_differ(names: str) -> None:
    found = changed(names, consistent=False)
    several = sum(n_distinct(clip) > 1 for clip in found)
    assert several >= CLIPS / 2  # some are left alone by chance
    assert n_distinct(found[:, 0]) > 1


@pytest.mark.parametrize("consistent", [True, False])
def test_views_pass_consistent_on(consistent: bool) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    views = [View("still"), View("changed", augment="shift+intensity", consistent=consistent)]
    frame = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    clips = torch.from_numpy(frame).expand(CLIPS, FRAMES, 40, 40, 3)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        left, found = ViewMaker(views, encoder, horizon=FRAMES)(ClipBatch(clips, None, None))
    assert n_distinct(left.images.flatten(0, 1)) == 1
    assert [n_distinct(clip) for clip in found.images] == [1 if consistent else FRAMES] * CLIPS


@pytest.mark.parametrize("channels", [1, 3])
def test_intensity_multiplies(channels: int) -> None:
    """As in SPR: black pixels stay black."""
    images = torch.zeros(64, 1, channels, 8, 8)
    images[..., 4:, :] = 0.5
    with torch.random.fork_rng():
        torch.manual_seed(0)
        found = Augment("intensity", size=(8, 8), channels=channels)(images)
    assert found[..., :4, :].abs().max() < 1e-6
    factors = found[..., 4:, :] / 0.5
    assert torch.allclose(factors, factors[..., :1, :1, :1].expand_as(factors), atol=1e-4)
    assert 0.9 <= factors.min() < 0.93
    assert 1.07 < factors.max() <= 1.1 + 1e-5
