"""Pixels as targets: losses by hand, decoders of any size, masked autoencoders end to end."""

import numpy as np
import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.networks.vit import patches
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings
from rlpriors.representation.losses.reconstruction import (
    divergence,
    patch_error,
    patch_scale,
    pixel_error,
    smooth_error,
)
from rlpriors.representation.modules.decoders import PixelDecoder, TokenDecoder


def test_pixel_error_by_hand() -> None:
    assert pixel_error(torch.tensor([[[[0.0, 1.0]]]]), torch.tensor([[[[0.5, 1.0]]]])) == 0.125


def test_patches_are_compared_at_mean_0_and_deviation_1() -> None:
    target = torch.tensor([[[0.1, 0.3]]])  # mean .2, deviation .1
    error = patch_error(torch.tensor([[[-1.0, 3.0]]]), target, eps=0.0)
    assert error.item() == pytest.approx((0 + 4) / 2, abs=1e-5)
    assert patch_error(target, target, normalize=False) == 0


def test_flat_patches_are_no_noise() -> None:
    flat = torch.full((1, 1, 64), 0.4)
    flat[..., ::2] += 1 / 255  # one level of 8 bits
    mean, deviation = patch_scale(flat)
    assert ((flat - mean) / deviation).abs().max() < 0.2
    assert patch_error(torch.zeros(1, 1, 64), flat) < 0.04
    assert torch.isfinite(patch_error(torch.zeros(1, 1, 64), torch.full((1, 1, 64), 0.4)))


def test_divergence_by_hand() -> None:
    """Of N(1, e) and N(0, 1): (1 + e - 1 - 1) / 2; of the standard one 0."""
    mean, log_variance = torch.tensor([[1.0, 0.0]]), torch.tensor([[1.0, 0.0]])
    assert divergence(mean, log_variance).item() == pytest.approx((torch.e - 1) / 2)


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
        error = pixel_error(decoder(z), target)
        optim.zero_grad()
        error.backward()
        optim.step()
    assert error < 0.01


def test_tokens_may_come_in_any_order_and_places_matter() -> None:
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


def learner(store: FrameStore, name: str = "mae", size: tuple[int, int] = (40, 24)) -> RepresentationLearner:
    encoder = load_encoder("vit-nano", weights="none", input_size=size, device="cpu")
    settings = TrainingSettings(updates=4, batch_size=8)
    return RepresentationLearner(encoder, RECIPES[name](), store, settings, n_actions=5)


def test_a_masked_autoencoder_is_judged_by_what_it_did_not_see(store: FrameStore) -> None:
    model = learner(store).model.eval()
    windows = learner(store).windows
    torch.manual_seed(0)
    encoded = model.encode(windows.at(windows.starts[:4]))
    kept, hidden = encoded.extra["context.kept"], encoded.extra["context.hidden"]
    assert kept.shape == (4, 4)  # a quarter of 5 x 3
    assert torch.equal(torch.cat([kept, hidden], 1).sort(1).values, torch.arange(15).expand(4, -1))
    features = encoded.features["context"]
    assert features.tokens is not None
    assert features.tokens.shape == (4, 4, 128)  # the encoder saw no more
    assert model.predictor is not None
    outputs = model.predictor(encoded)
    rows = patches(encoded.pixels["context"], 8)
    for image in range(4):
        assert torch.equal(outputs["hidden"][image], rows[image, hidden[image]])


def test_pictures_of_a_masked_autoencoder(store: FrameStore) -> None:
    trained = learner(store)
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    found = trained.pictures(3)
    assert set(found) == {"view/context", "original", "masked", "reconstruction"}
    assert all(image.shape == (3, 3, 40, 24) for image in found.values())
    assert all(image.min() >= 0 and image.max() <= 1 for image in found.values())
    rows = {name: patches(image, 8) for name, image in found.items()}
    gray = (rows["masked"] == 0.5).all(2)
    assert gray.sum(1).tolist() == [11, 11, 11]
    assert torch.equal(rows["original"][~gray], rows["reconstruction"][~gray])
    assert not torch.equal(rows["original"][gray], rows["reconstruction"][gray])
    again = trained.pictures(3)
    assert all(torch.equal(again[name], image) for name, image in found.items())
    assert trained.model.training
    assert all(torch.equal(value, before[name]) for name, value in trained.model.state_dict().items())


def test_without_normalizing_pixels_are_painted_as_they_are(store: FrameStore) -> None:
    encoder = load_encoder("vit-nano", weights="none", input_size=(40, 40), device="cpu")
    recipe = RECIPES["mae"](normalize=False, ratio=0.5, width=32, depth=2)
    trained = RepresentationLearner(encoder, recipe, store, TrainingSettings(updates=2, batch_size=4))
    assert np.isfinite(trained.update()["loss"])
    assert trained.pictures(2)["reconstruction"].shape == (2, 3, 40, 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 0.0}, "`ratio` must be between 0 and 1. Received 0.0"),
        ({"ratio": 1.5}, "`ratio` must be between 0 and 1. Received 1.5"),
    ],
)
def test_mask_ratios_are_bounded(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RECIPES["mae"](**options)


def test_the_decoders_width_must_suit_its_heads(store: FrameStore) -> None:
    encoder = load_encoder("vit-nano", weights="none", device="cpu")
    with pytest.raises(ValueError, match=r"`width` must be divisible by 4 .* Received 30"):
        RepresentationLearner(encoder, RECIPES["mae"](width=30), store)


def test_an_encoder_that_cannot_leave_tokens_out_is_refused(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    with pytest.raises(ValueError, match=r"that can leave tokens out: .*\"vit-nano\". Received 'nature-cnn'"):
        RepresentationLearner(encoder, RECIPES["mae"](), store)


def test_smooth_error_by_hand() -> None:
    error = smooth_error(torch.tensor([0.5, 3.0]), torch.zeros(2))
    assert error.item() == (0.125 + 2.5) / 2


def test_blocks_are_predicted_from_what_is_seen_outside_of_them(store: FrameStore) -> None:
    trained = learner(store, "i-jepa", (40, 40))
    model = trained.model
    torch.manual_seed(0)
    encoded = model.encode(trained.windows.at(trained.windows.starts[:3]))
    assert model.predictor is not None
    outputs = model.predictor(encoded)
    targets = encoded.extra["context.targets"]
    whole = encoded.target_features["context"].tokens
    assert whole is not None
    assert whole.shape == (3, 25, 128)  # the target sees all
    assert not whole.requires_grad
    row = whole[1, targets[1, 2, 0]]
    place = 2 * targets.shape[2]
    expected = (row - row.mean()) / (row.var(correction=0) + 1e-5).sqrt()
    torch.testing.assert_close(outputs["expected"][1, place], expected)
    assert outputs["predicted"].shape == outputs["expected"].shape
    # Each block is predicted by itself: what the others are does not matter.
    others = encoded.extra["context.targets"].clone()
    others[:, 0] = others[:, 1]
    extra = {**encoded.extra, "context.targets": others}
    again = model.predictor(encoded._replace(extra=extra))
    torch.testing.assert_close(again["predicted"][1, place], outputs["predicted"][1, place])


def test_a_variational_code_is_drawn_in_training_and_its_mean_taken_otherwise(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    trained = RepresentationLearner(encoder, RECIPES["vae"](dim=8), store, TrainingSettings(batch_size=4))
    model, batch = trained.model, trained.windows.at(trained.windows.starts[:4])
    assert model.predictor is not None
    encoded = model.encode(batch)
    assert encoded.z["context"].shape == (4, 16)
    first, second = (model.predictor(encoded) for _ in range(2))
    assert torch.equal(first["mean"], encoded.z["context"][:, :8])
    assert torch.equal(first["log_variance"], encoded.z["context"][:, 8:])
    assert not torch.equal(first["decoded"], second["decoded"])
    model.eval()
    first, second = (model.predictor(encoded) for _ in range(2))
    assert torch.equal(first["decoded"], second["decoded"])
    assert trained.pictures(2)["reconstruction"].shape == (2, 3, 40, 40)


@pytest.mark.parametrize("name", ["dynamics", "action-conditioned-vae"])
def test_the_next_frame_depends_on_the_action(name: str, store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", input_size=(40, 40), device="cpu")
    settings = TrainingSettings(updates=1, batch_size=4)
    trained = RepresentationLearner(encoder, RECIPES[name](offset=3), store, settings, n_actions=5)
    model = trained.model.eval()
    encoded = model.encode(trained.windows.at(trained.windows.starts[:4]))
    assert "target" not in encoded.z  # only its pixels are wanted
    assert "target" not in encoded.features
    assert encoded.batch.act is not None
    assert encoded.batch.act.shape == (4, 1, 15)
    assert model.predictor is not None
    found = model.predictor(encoded)["decoded"]
    other = encoded._replace(batch=encoded.batch._replace(act=encoded.batch.act.roll(1, 2)))
    assert not torch.allclose(model.predictor(other)["decoded"], found)
    assert set(trained.pictures(2)) == {"view/context", "view/target", "reconstruction"}
