"""Segmentation heads: sizes, hand-worked numbers, gradients, bounds."""

import pytest
import torch

from rlpriors.networks.segmentation import HEADS, ConvHead, LinearHead, PatchHead, PyramidHead, build_head


@pytest.mark.parametrize("name", list(HEADS))
@pytest.mark.parametrize(("cells", "size"), [((1, 1), (5, 7)), ((3, 4), (24, 32)), ((8, 8), (6, 6))])
def test_every_head_gives_logits_of_the_requested_size(name, cells, size):
    head = build_head(name, dim=6, n_classes=3)
    maps = torch.rand(1, 6, *cells)
    logits = head(maps, size)
    assert logits.shape == (1, 3, *size)
    logits.square().sum().backward()
    # A group of one place has nothing to compare with: its scale may have no gradient.
    assert all(weight.grad is not None for weight in head.parameters())


@pytest.mark.parametrize("name", list(HEADS))
def test_images_of_a_batch_do_not_see_each_other(name):
    head = build_head(name, dim=6, n_classes=2)
    maps = torch.rand(3, 6, 4, 4)
    together = head(maps, (8, 8))
    torch.testing.assert_close(head(maps[1:2], (8, 8)), together[1:2], atol=1e-5, rtol=1e-5)


def test_a_linear_head_by_hand():
    """Two cells, 1 and 5, to four columns: bilinear without aligned corners gives 1, 2, 4, 5."""
    head = LinearHead(dim=1, n_classes=2)
    with torch.no_grad():
        head.classify.weight.copy_(torch.tensor([1.0, -2.0]).reshape(2, 1, 1, 1))
        head.classify.bias.copy_(torch.tensor([0.0, 10.0]))
    logits = head(torch.tensor([[[[1.0, 5.0]]]]), (1, 4))
    expected = torch.tensor([[1.0, 2.0, 4.0, 5.0], [8.0, 6.0, 2.0, 0.0]])
    torch.testing.assert_close(logits[0, :, 0], expected)


def test_a_patch_head_separates_the_pixels_of_a_cell():
    """One channel of 1: the logit of each pixel is its own weight, pixel by pixel, class by class."""
    head = PatchHead(dim=1, n_classes=2)
    with torch.no_grad():
        head.classify.weight.copy_(torch.arange(128.0).reshape(128, 1, 1, 1))
        head.classify.bias.zero_()
    logits = head(torch.ones(1, 1, 1, 2), (8, 16))
    for place in (0, 1):
        for label in (0, 1):
            own = logits[0, label, :, 8 * place : 8 * place + 8]
            torch.testing.assert_close(own, 64.0 * label + torch.arange(64.0).reshape(8, 8))


def test_how_far_each_head_sees():
    """A change in one corner reaches the other only through the pyramid's pooled level."""
    maps = torch.rand(1, 4, 12, 12)
    moved = maps.clone()
    moved[0, :, 0, 0] += 1
    far = {}
    for name, head in {"linear": LinearHead(4, 2), "pyramid": PyramidHead(4, 2, 16)}.items():
        with torch.no_grad():
            far[name] = float((head(moved, (12, 12)) - head(maps, (12, 12)))[0, :, -1, -1].abs().max())
    assert far["linear"] == 0
    assert far["pyramid"] > 0


def test_bad_heads_are_refused():
    with pytest.raises(
        ValueError, match=r"`head` must be one of \['linear', 'patch', 'conv', 'pyramid'\].*'unet'"
    ):
        build_head("unet", 4, 2)
    with pytest.raises(ValueError, match=r"`width` must be divisible by 16 .*Received 24"):
        ConvHead(4, 2, width=24)
    with pytest.raises(ValueError, match=r"`n_classes` must be at least 1\. Received 0"):
        LinearHead(4, 0)
