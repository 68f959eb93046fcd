"""Decoders of pixels and tokens: image sizes, learning, order of tokens."""

import pytest
import torch

from rlpriors.representation.losses.reconstruction import (
    pixel_mse,
)
from rlpriors.representation.modules.decoders import PixelDecoder, TokenDecoder


@pytest.mark.parametrize("size", [(3, 40, 40), (1, 210, 160), (4, 5, 3), (3, 9, 64), (3, 84, 33)])
def test_pixels_of_any_size_can_be_decoded(size: tuple[int, int, int]) -> None:
    torch.manual_seed(0)
    decoder = PixelDecoder(6, size)
    found = decoder(torch.randn(2, 6))
    assert found.shape == (2, *size)
    assert not torch.allclose(found[0], found[1])
    found.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in decoder.parameters())


def test_a_decoder_learns_an_image_that_is_not_square() -> None:
    torch.manual_seed(0)
    decoder, z = PixelDecoder(2, (1, 12, 20), width=8), torch.eye(2)
    target = torch.rand(2, 1, 12, 20)
    optim = torch.optim.Adam(decoder.parameters(), 1e-2)
    for _ in range(150):
        error = pixel_mse(decoder(z), target)
        optim.zero_grad()
        error.backward()
        optim.step()
    assert error < 0.01


def test_tokens_have_positions_and_no_order() -> None:
    torch.manual_seed(0)
    decode = TokenDecoder(dim=8, out=5, grid=(2, 4), width=16, depth=2)
    global_, tokens = torch.randn(1, 8), torch.randn(1, 3, 8)
    kept, asked = torch.tensor([[1, 4, 6]]), torch.tensor([[0, 7]])
    found = decode(global_, tokens, kept, asked)
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(decode(global_, tokens[:, order], kept[:, order], asked), found)
    torch.testing.assert_close(decode(global_, tokens, kept, asked.flip(1)), found.flip(1))
    assert not torch.allclose(decode(global_, tokens, torch.tensor([[4, 1, 6]]), asked), found, atol=1e-4)
    assert not torch.allclose(found[:, 0], found[:, 1], atol=1e-4)
