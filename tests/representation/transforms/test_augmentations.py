"""Random changes of windows: all frames alike, so that motion stays what it was, or each by itself."""

import numpy as np
import pytest
import torch
from torch import Tensor

from rlpriors.encoders import load_encoder
from rlpriors.representation import View
from rlpriors.representation.clips import Batch
from rlpriors.representation.transforms.augmentations import AUGMENTATIONS, Augment
from rlpriors.representation.transforms.views import ViewMaker

SIDE, WINDOWS, FRAMES = 24, 8, 4
NAMES = [*AUGMENTATIONS, "shift+color-jitter+gaussian-blur", "translate+rotate+noise"]


def still() -> Tensor:
    """Windows in which nothing moves, all of one picture without symmetry."""
    image = 0.2 + 0.6 * torch.rand(3, SIDE, SIDE, generator=torch.Generator().manual_seed(0))
    return image.expand(WINDOWS, FRAMES, 3, SIDE, SIDE).contiguous()


def changed(names: str, *, consistent: bool) -> Tensor:
    augment = Augment(names, size=(SIDE, SIDE), channels=3, consistent=consistent)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        return augment(still())


def kinds(images: Tensor) -> int:
    """How many of them are unlike all others."""
    return len({image.numpy().tobytes() for image in images})


@pytest.mark.parametrize("names", NAMES)
def test_frames_of_a_window_are_changed_alike_and_windows_are_not(names: str) -> None:
    found = changed(names, consistent=True)
    assert [kinds(window) for window in found] == [1] * WINDOWS
    assert kinds(found[:, 0]) > 1
    assert not torch.equal(found, still())


@pytest.mark.parametrize("names", NAMES)
def test_without_that_frames_of_a_window_differ(names: str) -> None:
    found = changed(names, consistent=False)
    several = sum(kinds(window) > 1 for window in found)
    assert several >= WINDOWS / 2  # some are left alone by chance
    assert kinds(found[:, 0]) > 1


@pytest.mark.parametrize("consistent", [True, False])
def test_views_say_which_it_is(consistent: bool) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    views = [View("still"), View("changed", augment="shift+intensity", consistent=consistent)]
    frame = np.random.default_rng(0).integers(0, 255, (40, 40, 3), np.uint8)
    windows = torch.from_numpy(frame).expand(WINDOWS, FRAMES, 40, 40, 3)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        left, found = ViewMaker(views, encoder, horizon=FRAMES)(Batch(windows, None, None))
    assert kinds(left.images.flatten(0, 1)) == 1
    assert [kinds(window) for window in found.images] == [1 if consistent else FRAMES] * WINDOWS


@pytest.mark.parametrize("channels", [1, 3])
def test_intensity_multiplies(channels: int) -> None:
    """As in SPR: what is black stays black."""
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
