"""Masked autoencoders, end to end."""

import numpy as np
import pytest
import torch

from rlpriors.data.frames import FrameStore
from rlpriors.encoders import load_encoder
from rlpriors.networks.vit import patchify
from rlpriors.representation import RECIPES, RepresentationLearner, TrainingSettings


def learner(store: FrameStore, name: str = "mae", size: tuple[int, int] = (40, 24)) -> RepresentationLearner:
    encoder = load_encoder("vit-nano", weights="none", input_size=size, device="cpu")
    settings = TrainingSettings(updates=4, batch_size=8)
    return RepresentationLearner(encoder, RECIPES[name](), store, settings, n_actions=5)


def test_targets_are_the_masked_patches(store: FrameStore) -> None:
    model = learner(store).model.eval()
    clips = learner(store).clips
    torch.manual_seed(0)
    encoded = model.encode(clips.at(clips.starts[:4]))
    kept, hidden = encoded.extra["context.visible"], encoded.extra["context.masked"]
    assert kept.shape == (4, 4)  # a quarter of 5 x 3
    assert torch.equal(torch.cat([kept, hidden], 1).sort(1).values, torch.arange(15).expand(4, -1))
    features = encoded.features["context"]
    assert features.tokens is not None
    assert features.tokens.shape == (4, 4, 128)  # the encoder saw no more
    assert model.predictor is not None
    outputs = model.predictor(encoded)
    rows = patchify(encoded.pixels["context"], 8)
    for image in range(4):
        assert torch.equal(outputs["masked"][image], rows[image, hidden[image]])


def test_images_of_a_masked_autoencoder(store: FrameStore) -> None:
    trained = learner(store)
    before = {name: value.clone() for name, value in trained.model.state_dict().items()}
    found = trained.visualize(3)
    assert set(found) == {"view/context", "original", "masked", "reconstruction"}
    assert all(image.shape == (3, 3, 40, 24) for image in found.values())
    assert all(image.min() >= 0 and image.max() <= 1 for image in found.values())
    rows = {name: patchify(image, 8) for name, image in found.items()}
    gray = (rows["masked"] == 0.5).all(2)
    assert gray.sum(1).tolist() == [11, 11, 11]
    assert torch.equal(rows["original"][~gray], rows["reconstruction"][~gray])
    assert not torch.equal(rows["original"][gray], rows["reconstruction"][gray])
    again = trained.visualize(3)
    assert all(torch.equal(again[name], image) for name, image in found.items())
    assert trained.model.training
    assert all(torch.equal(value, before[name]) for name, value in trained.model.state_dict().items())


def test_pixels_without_normalization(store: FrameStore) -> None:
    encoder = load_encoder("vit-nano", weights="none", input_size=(40, 40), device="cpu")
    recipe = RECIPES["mae"](normalize=False, mask_ratio=0.5, width=32, depth=2)
    trained = RepresentationLearner(encoder, recipe, store, TrainingSettings(updates=2, batch_size=4))
    assert np.isfinite(trained.update()["loss"])
    assert trained.visualize(2)["reconstruction"].shape == (2, 3, 40, 40)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"mask_ratio": 0.0}, "`ratio` of a mask must be between 0 and 1. Received 0.0"),
        ({"mask_ratio": 1.5}, "`ratio` of a mask must be between 0 and 1. Received 1.5"),
    ],
)
def test_mask_ratios_are_bounded(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RECIPES["mae"](**options)


def test_the_decoders_width_is_divisible_by_its_heads(store: FrameStore) -> None:
    encoder = load_encoder("vit-nano", weights="none", device="cpu")
    with pytest.raises(ValueError, match=r"`width` must be divisible by 4 .* Received 30"):
        RepresentationLearner(encoder, RECIPES["mae"](width=30), store)


def test_an_encoder_without_token_masks_is_refused(store: FrameStore) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu")
    with pytest.raises(
        ValueError, match=r"that can skip masked tokens: .*\"vit-nano\". Received 'nature-cnn'"
    ):
        RepresentationLearner(encoder, RECIPES["mae"](), store)
