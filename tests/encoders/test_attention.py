"""Attention maps against the networks' own attention weights, and their alignment with pixels."""

import numpy as np
import pytest
import torch
from jaxtyping import config
from torch import nn
from torch.nn import functional

from rlpriors.encoders import load_encoder
from rlpriors.encoders.attention import attention_map, record_attention
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.encoder import ImageEncoder
from rlpriors.encoders.spec import EncoderSpec
from rlpriors.types import Features

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}
METHODS = ["auto", "attention", "rollout", "energy", "saliency"]


def wrap(backbone: Backbone, size: int = 32, **changes) -> ImageEncoder:
    fields = {
        "name": "toy",
        "source": "network",
        "model_id": "toy",
        "license": "mit",
        "interpolation": "bilinear",
    }
    return ImageEncoder(
        EncoderSpec(**(fields | {"input_size": (size, size)} | changes)), backbone, device="cpu"
    )


def images(n: int = 2, height: int = 40, width: int = 48) -> np.ndarray:
    return np.random.default_rng(0).integers(256, size=(n, height, width, 3), dtype=np.uint8)


class Fixed(Backbone):
    """A class token and 2x2 patches that attend as `layers` say, written out as old networks do it."""

    def __init__(self, *layers: list[list[float]], heads: int = 1, prefix: int = 1) -> None:
        super().__init__()
        self.layers, self.heads, self.prefix = [torch.tensor(layer).log() for layer in layers], heads, prefix

    def forward(self, x):
        tokens = x.new_ones(len(x), self.prefix + 4, 3)
        for logits in self.layers:
            tokens = logits.expand(len(x), self.heads, -1, -1).softmax(-1)[:, 0] @ tokens
        patches = tokens[:, self.prefix :]
        return Features(tokens[:, 0], patches, patches.mT.unflatten(2, (2, 2)))


class PixelMaps(Backbone):
    """Its maps are the prepared pixels themselves, without the normalization."""

    def forward(self, x):
        return Features(x.mean((2, 3)), x.flatten(2).mT, x)


def corners(heat: torch.Tensor) -> list[list[float]]:
    """The values at the frame's corners, which are those of the 2x2 patches."""
    return [[float(heat[0, row, column]) for column in (0, -1)] for row in (0, -1)]


UNEVEN = [
    [0.2, 0.1, 0.2, 0.2, 0.3],
    [0.2, 0.8, 0.0, 0.0, 0.0],
    [0.2, 0.0, 0.8, 0.0, 0.0],
    [0.2, 0.0, 0.0, 0.8, 0.0],
    [0.2, 0.0, 0.0, 0.0, 0.8],
]
CROSS = [
    [0.0, 0.0, 0.0, 0.0, 1.0],
    [0.0, 0.0, 0.0, 0.0, 1.0],
    [0.0, 0.0, 0.0, 1.0, 0.0],
    [0.0, 0.0, 1.0, 0.0, 0.0],
    [0.0, 1.0, 0.0, 0.0, 0.0],
]


def test_the_class_token_asks_in_the_last_layer():
    heat = attention_map(wrap(Fixed(CROSS, UNEVEN)), images(), "attention")
    np.testing.assert_allclose(corners(heat), [[0, 0.5], [0.5, 1]], atol=1e-6)


def test_rollout_by_hand():
    """(I + A)/2 for both layers: the class token's 1/2 [1.2 .1 .2 .2 .3] sees through [0 0 0 0 1], [...]."""
    heat = attention_map(wrap(Fixed(CROSS, UNEVEN)), images(), "rollout")
    through = (np.eye(5) + UNEVEN) / 2 @ (np.eye(5) + CROSS) / 2
    row = through[0, 1:]
    np.testing.assert_allclose(row, [0.1, 0.1, 0.1, 0.4], atol=1e-9)
    np.testing.assert_allclose(corners(heat), [[0, 0], [0, 1]], atol=1e-5)


def test_without_class_token_all_patches_ask():
    weights = [[0.7, 0.1, 0.1, 0.1], [0.4, 0.2, 0.2, 0.2], [0.4, 0.2, 0.2, 0.2], [0.1, 0.1, 0.1, 0.7]]
    heat = attention_map(wrap(Fixed(weights, prefix=0)), images(), "attention")  # means .4 .15 .15 .3
    np.testing.assert_allclose(corners(heat), [[1, 0], [0, 0.6]], atol=1e-5)


@pytest.mark.parametrize("name", ["test_vit", "test_vit3", "vit_tiny_patch16_dinov3_qkvb"])
def test_timm_networks_give_their_own_weights(name):
    """With fused attention and without; test_vit3 ends in a pooling query, DINOv3 has registers and rope."""
    depth = {"depth": 2} if "dinov3" in name else {}
    allow_timm()
    import timm

    from rlpriors.encoders.backbones.timm import TimmBackbone

    network = timm.create_model(name, num_classes=0, img_size=64, **depth).eval()
    seen: list[torch.Tensor] = []
    layers = [m for m in network.modules() if hasattr(m, "attn_drop") and hasattr(m, "qkv")]
    x = torch.rand(2, 3, 64, 64)
    with torch.no_grad(), record_attention() as fused:
        network(x)
    for layer in layers:
        layer.fused_attn = False
        layer.attn_drop.register_forward_pre_hook(lambda module, args: seen.append(args[0]))
    with torch.no_grad(), record_attention() as plain:
        network(x)
    assert len(seen) == len(layers) > 0
    for got in (fused, plain):
        own = [weights for weights in got if weights.shape[-2] > 1]
        torch.testing.assert_close(own, seen)
    encoder = wrap(TimmBackbone(network, (64, 64)), 64)
    frames = images(height=64, width=64)
    heat = attention_map(encoder, frames, "attention")
    seen.clear()
    with torch.no_grad(), record_attention() as weights:
        features = encoder(encoder.preprocess(frames))
    rows, columns = features.maps.shape[-2:]
    asked = (weights[-1] if name == "test_vit3" else seen[-1]).mean(1)[:, 0, -rows * columns :]
    asked = functional.interpolate(asked.reshape(2, 1, rows, columns), (64, 64), mode="bilinear")[:, 0]
    low, high = asked.amin((1, 2), keepdim=True), asked.amax((1, 2), keepdim=True)
    torch.testing.assert_close(heat, (asked - low) / (high - low), atol=1e-4, rtol=0)


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_huggingface_networks_give_their_own_weights(attention):
    allow_timm()
    from transformers import Dinov2WithRegistersConfig, Dinov2WithRegistersModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 32}
    network = Dinov2WithRegistersModel(Dinov2WithRegistersConfig(**sizes, patch_size=16)).eval()
    x = torch.rand(2, 3, 32, 32)
    network.set_attn_implementation("eager")
    with torch.no_grad():
        expected = network(x, output_attentions=True).attentions
    network.set_attn_implementation(attention)
    with torch.no_grad(), record_attention() as weights:
        network(x)
    torch.testing.assert_close(tuple(weights), expected)


def allow_timm() -> None:
    from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision

    ensure_torchvision()


def test_recording_changes_nothing_and_ends():
    q, k, v = torch.randn(3, 2, 4, 5, 6).unbind()
    mask = torch.tensor([[0.0, -1.0, 2.0, 0.0, -torch.inf]])
    for options in (
        {},
        {"is_causal": True},
        {"attn_mask": mask},
        {"attn_mask": mask > -1, "scale": 0.3},
    ):
        expected = functional.scaled_dot_product_attention(q, k, v, **options)
        with record_attention() as weights:
            torch.testing.assert_close(functional.scaled_dot_product_attention(q, k, v, **options), expected)
        torch.testing.assert_close(weights[0].sum(-1), torch.ones(2, 4, 5))
    grouped = functional.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
    with record_attention() as weights:
        again = functional.scaled_dot_product_attention(q, k[:, :2], v[:, :2], enable_gqa=True)
    torch.testing.assert_close(again, grouped)
    functional.scaled_dot_product_attention(q, k, v)
    assert len(weights) == 1


@pytest.mark.parametrize("resize", ["squash", "pad", "shortest_crop", "native"])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic", "nearest"])
def test_heat_lies_where_the_pixel_was(resize, interpolation):
    """A bright spot far from the middle, in a frame that is not square."""
    height, width = (32, 32) if resize == "native" else (60, 90)
    row, column = height - 8, width // 2 + 6
    frames = np.zeros((1, height, width, 3), np.uint8)
    frames[0, row - 1 : row + 2, column - 1 : column + 2] = 255
    encoder = wrap(PixelMaps(), resize=resize, interpolation=interpolation, **PLAIN)
    heat = attention_map(encoder, frames, "energy")
    assert heat.shape == (1, height, width)
    peak = divmod(int(heat[0].argmax()), width)
    assert abs(peak[0] - row) <= 3
    assert abs(peak[1] - column) <= 3


def test_cropped_pixels_are_zero():
    encoder = wrap(PixelMaps(), resize="shortest_crop", **PLAIN)
    heat = attention_map(encoder, np.full((1, 32, 64, 3), 200, np.uint8), "energy")[0]
    assert heat[:, :15].abs().max() == 0
    assert heat[:, 49:].abs().max() == 0
    assert heat[:, 17:47].min() > 0.99


def test_saliency_is_the_jacobian():
    """The vector is 2 times one pixel and 3 times another."""

    class Two(Backbone):
        def forward(self, x):
            return Features(torch.stack([2 * x[:, 0, 5, 6], 3 * x[:, 1, 20, 21]], 1), None, None)

    encoder = wrap(Two(), resize="native", **PLAIN)
    heat = attention_map(encoder, images(1, 32, 32), "saliency")[0]
    expected = torch.zeros(32, 32)
    expected[5, 6], expected[20, 21] = 2 / 3, 1
    torch.testing.assert_close(heat, expected)
    assert all(weight.grad is None for weight in encoder.parameters())
    with pytest.raises(ValueError, match="`method` \"energy\" needs maps, which 'toy' does not have"):
        attention_map(encoder, images(1, 32, 32), "energy")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("order", ["last", "first", "gray"])
@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_every_method_gives_a_picture_of_the_frames_size(method, order, device):
    encoder = load_encoder("timm:test_vit", weights="none", input_size=(32, 32), device=device)
    frames = {
        "last": images(3, 20, 50),
        "first": images(3, 20, 50).transpose(0, 3, 1, 2),
        "gray": images(3, 20, 50)[..., :1],
    }[order]
    heat = attention_map(encoder, frames, method).cpu()
    assert heat.shape == (3, 20, 50)
    torch.testing.assert_close(heat.amin((1, 2)), torch.zeros(3))
    torch.testing.assert_close(heat.amax((1, 2)), torch.ones(3))
    assert not heat.requires_grad
    if method == "auto":
        torch.testing.assert_close(heat, attention_map(encoder, frames, "attention").cpu())


def test_a_network_without_attention(monkeypatch):
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    torch.testing.assert_close(attention_map(encoder, images()), attention_map(encoder, images(), "energy"))
    for method in ("attention", "rollout"):
        message = f"`method` '{method}' needs attention between all patches, which 'nature-cnn' does not"
        with pytest.raises(ValueError, match=message):
            attention_map(encoder, images(), method)
    monkeypatch.setattr(config, "jaxtyping_disable", True)  # as users run it
    with pytest.raises(ValueError, match=r"`method` must be one of \['auto', .*Received 'magic'"):
        attention_map(encoder, images(), "magic")


def test_one_color_and_clips():
    flat = attention_map(wrap(PixelMaps(), **PLAIN), np.full((1, 40, 40, 3), 9, np.uint8))
    assert torch.isfinite(flat).all()

    class Clips(Backbone):
        def __init__(self):
            super().__init__()
            self.net = nn.Identity()

        def forward(self, x):
            return Features(x.mean((1, 3, 4)), None, None)

    with pytest.raises(ValueError, match=r"single frames\. Received 'toy', which takes clips of 2"):
        attention_map(wrap(Clips(), frames=2), images())
