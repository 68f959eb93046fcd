"""The vision transformer: sizes, positions, patches that are left out, bounds."""

import math
from typing import Any

import pytest
import torch

from rlpriors.encoders import load_encoder
from rlpriors.networks.vit import VIT_SIZES, ViT, ViTSettings, patchify, sincos_position_embedding, unpatchify


def small(**sizes: Any) -> ViT:
    torch.manual_seed(0)
    given = {"channels": 2, "height": 12, "width": 16, "patch": 4, "dim": 16, "blocks": 2, "heads": 2}
    return ViT(ViTSettings(**(given | sizes)))


def test_patches_are_rows_of_pixels_of_colors_and_go_back() -> None:
    image = torch.arange(2 * 4 * 6.0).reshape(1, 2, 4, 6)  # color 0 is 0..23, color 1 is 24..47
    rows = patchify(image, 2)
    assert rows.shape == (1, 6, 8)
    assert rows[0, 4].tolist() == [14, 38, 15, 39, 20, 44, 21, 45]  # second row of patches, second column
    assert torch.equal(unpatchify(rows, 2, (2, 3)), image)


def test_positions_are_sines_of_row_and_column() -> None:
    codes = sincos_position_embedding((2, 3), 8)
    assert codes.shape == (6, 8)
    at = codes[5]  # row 1, column 2; two speeds: 1 and 1/100
    expected = [f(w * i) for i in (1, 2) for f in (math.sin, math.cos) for w in (1, 0.01)]
    torch.testing.assert_close(at, torch.tensor(expected))


@pytest.mark.parametrize("pool", ["class", "mean"])
def test_seeing_all_patches_is_seeing_the_image(pool: str) -> None:
    network = small(pool=pool)
    x = torch.rand(3, 2, 12, 16)
    whole = network(x)
    assert whole.global_.shape == (3, 16)
    assert whole.maps.shape == (3, 16, 3, 4)
    torch.testing.assert_close(whole.maps.flatten(2).mT, whole.tokens)
    order = torch.stack([torch.randperm(12) for _ in range(3)])
    seen = network.forward_tokens(x, order)
    torch.testing.assert_close(seen.global_, whole.global_)
    expected = torch.stack([tokens[index] for tokens, index in zip(whole.tokens, order, strict=True)])
    torch.testing.assert_close(seen.tokens, expected)
    assert seen.maps is None


def test_only_visible_patches_matter() -> None:
    network, x, visible = small(), torch.rand(1, 2, 12, 16), torch.tensor([[0, 7]])
    first = network.forward_tokens(x, visible)
    x[:, :, 4:8, 4:8] += 1  # patch 5
    assert torch.equal(network.forward_tokens(x, visible).global_, first.global_)
    x[:, :, 4:8, 12:16] += 1  # patch 7
    assert not torch.allclose(network.forward_tokens(x, visible).global_, first.global_)


def test_places_matter() -> None:
    network = small()
    x = torch.rand(1, 2, 12, 16)
    moved = x.roll(4, 3)  # the same patches elsewhere
    assert not torch.allclose(network(x).global_, network(moved).global_, atol=1e-4)
    network.positions.zero_()
    torch.testing.assert_close(network(x).global_, network(moved).global_)


@pytest.mark.parametrize(
    ("name", "image", "millions"), [("nano", 64, 0.82), ("micro", 64, 2.71), ("tiny", 96, 5.38)]
)
def test_named_sizes_are_encoders_that_mask(name: str, image: int, millions: float) -> None:
    encoder = load_encoder(f"vit-{name}", weights="none", device="cpu")
    assert encoder.spec.input_size == (image, image)
    count = sum(p.numel() for p in encoder.backbone.parameters())
    assert round(count / 1e6, 2) == millions
    assert encoder.can_mask
    assert encoder.output_shape == (VIT_SIZES[name]["dim"],)
    seen = encoder.forward_tokens(torch.rand(2, 3, image, image), torch.tensor([[1, 2, 3], [9, 4, 0]]))
    assert seen.tokens is not None
    assert seen.tokens.shape == (2, 3, VIT_SIZES[name]["dim"])


def test_the_start_is_xaviers() -> None:
    network = small()
    bound = math.sqrt(6 / (32 + 16))  # of the patch embedding, 4 * 4 * 2 to 16
    assert 0.8 * bound < network.enter.weight.abs().max() <= bound
    assert not network.enter.bias.any()


def test_all_weights_learn() -> None:
    network = small()
    features = network(torch.rand(2, 2, 12, 16))
    (features.global_.square().sum() + features.maps[..., 0].sum()).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in network.parameters())


def test_other_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\(2, 12, 16\). Received \(2, 16, 16\); resize them"):
        small()(torch.rand(1, 2, 16, 16))
    with pytest.raises(ValueError, match=r"Received \(3, 12, 16\)"):
        small().forward_tokens(torch.rand(1, 3, 12, 16), torch.tensor([[0]]))
    with pytest.raises(ValueError, match=r"`height` must be divisible by 8 \(whole patches\). Received 210"):
        load_encoder("vit-nano", weights="none", input_size=(210, 160), device="cpu")


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"width": 15}, r"`width` must be divisible by 4 \(whole patches\)"),
        ({"dim": 18}, "`dim` must be divisible by 4"),
        ({"heads": 3}, "`dim` must be divisible by 3"),
        ({"blocks": 0}, "`blocks` must be at least 1"),
    ],
)
def test_bounds(sizes: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**sizes)
