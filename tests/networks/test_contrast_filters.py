"""Contrast-normalized filters: hand-worked numbers, and answers without brightness and contrast."""

import math

import pytest
import torch

from rlpriors.networks.contrast_filters import ContrastFilters, ContrastFiltersSettings


def network(noise: float = 0.0, **options: int) -> ContrastFilters:
    torch.manual_seed(0)
    return ContrastFilters(ContrastFiltersSettings(**{"height": 24, "width": 20, **options}, noise=noise))


def test_one_patch_by_hand() -> None:
    """Filter (1, -1, 0, 0), length sqrt(2), on (.75, .25, .25, .25): mean .375, energy 3/16."""
    filters = network(height=2, width=2, size=2, n_filters=2)
    with torch.no_grad():
        filters.filters.copy_(torch.tensor([[[[2.0, 0.0], [1.0, 1.0]]], [[[0.0, 2.0], [1.0, 1.0]]]]))
    maps = filters(torch.tensor([[[[0.75, 0.25], [0.25, 0.25]]]])).maps
    assert maps is not None
    expected = [0.5 / math.sqrt(2) / math.sqrt(3 / 16), 0.0]
    torch.testing.assert_close(maps.flatten(), torch.tensor(expected))
    filters.settings = ContrastFiltersSettings(height=2, width=2, size=2, n_filters=2, noise=0.5)
    maps = filters(torch.tensor([[[[0.75, 0.25], [0.25, 0.25]]]])).maps
    assert maps is not None
    assert maps.max().item() == pytest.approx(0.5 / math.sqrt(2) / math.sqrt(3 / 16 + 4 * 0.25))


def test_answers_are_cosines() -> None:
    filters = network(channels=3)
    x = torch.rand(2, 3, 24, 20)
    patches = torch.nn.functional.unfold(x, 8, stride=4)
    patches = patches - patches.mean(1, keepdim=True)
    rows = filters.filters.detach().flatten(1)
    rows = rows - rows.mean(1, keepdim=True)
    expected = torch.einsum("kn,bnp->bkp", rows / rows.norm(dim=1, keepdim=True), patches)
    expected = (expected / patches.norm(dim=1, keepdim=True)).relu().unflatten(2, (5, 4))
    features = filters(x)
    torch.testing.assert_close(features.maps, expected, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(features.global_, expected.mean((2, 3)), atol=1e-5, rtol=1e-4)
    assert features.tokens is not None
    torch.testing.assert_close(features.tokens, expected.flatten(2).mT, atol=1e-5, rtol=1e-4)


def test_brightness_and_contrast_do_not_matter() -> None:
    filters, x = network(), torch.rand(1, 1, 24, 20)
    torch.testing.assert_close(filters(x).maps, filters(0.3 + 0.2 * x).maps, atol=1e-3, rtol=0)


def test_flat_patches_have_no_answer() -> None:
    """Sixteen-bit filters have no mean of exactly 0; a flat frame must not show it."""
    for noise in (0.0, 0.0125):
        filters = network(noise).half().float()
        for level in (0.0, 0.2, 87 / 255, 1.0):
            maps = filters(torch.full((1, 1, 24, 20), level)).maps
            assert maps is not None
            assert maps.max().item() < 2e-3


def test_one_level_of_one_pixel_counts() -> None:
    x = torch.full((1, 1, 24, 20), 87 / 255)
    x[0, 0, 12, 9] += 1 / 255
    maps = network()(x).maps
    assert maps is not None
    assert maps.max().item() > 0.1


def test_bounds() -> None:
    for field, value in [("noise", -1.0), ("noise", math.inf), ("size", 1), ("stride", 0), ("n_filters", 0)]:
        with pytest.raises(ValueError, match=f"`{field}` must be"):
            ContrastFiltersSettings(**{field: value})
    with pytest.raises(ValueError, match="`height` must be at least 8"):
        ContrastFiltersSettings(height=7)
