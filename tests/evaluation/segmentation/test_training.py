"""Segmentation on colored squares: what is learnt, what moves, scores by hand, pictures."""

import copy
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import torch

from rlpriors.encoders import Backbone, EncoderSpec, ImageEncoder, load_encoder
from rlpriors.evaluation.segmentation.metrics import check_labels, segmentation_scores
from rlpriors.evaluation.segmentation.plots import compare_masks, overlay, palette
from rlpriors.evaluation.segmentation.training import (
    SegmentationSettings,
    Segmenter,
    _class_weights,
    _loss,
    fit_segmenter,
    predict,
)
from rlpriors.networks.segmentation import HEADS
from rlpriors.types import Features

COLORS = np.array([[40, 40, 40], [200, 30, 30], [30, 30, 220]], np.uint8)
QUICK = SegmentationSettings(updates=60, batch_size=8, lr=1e-2)


def squares(count: int, size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Frames of gray with a red and a blue square of half their size, and the class of each pixel."""
    rng = np.random.default_rng(seed)
    masks = np.zeros((count, size, size), np.uint8)
    half = size // 2
    for mask in masks:
        corners = rng.permutation(4)[:2]
        for label, corner in enumerate(corners, 1):
            row, column = divmod(int(corner), 2)
            mask[row * half : (row + 1) * half, column * half : (column + 1) * half] = label
    noise = rng.integers(-20, 20, (*masks.shape, 3))
    return (COLORS[masks].astype(int) + noise).clip(0, 255).astype(np.uint8), masks


def make(name: str = "vit-nano", size: int = 32) -> ImageEncoder:
    return load_encoder(name, weights="none", input_size=(size, size), device="cpu")


@pytest.mark.parametrize(
    ("name", "size", "settings"),
    [
        ("vit-nano", 32, QUICK),
        ("impala-cnn", 64, QUICK),
        ("vit-nano", 32, replace(QUICK, head="patch")),
        ("vit-nano", 32, replace(QUICK, head="conv", updates=30)),
        ("vit-nano", 32, replace(QUICK, head="pyramid", updates=20)),
        ("vit-nano", 32, replace(QUICK, mode="full", lr=3e-3, encoder_lr=3e-3, updates=40)),
    ],
    ids=["vit", "cnn", "patch", "conv", "pyramid", "full"],
)
def test_colored_squares_are_found(name, size, settings):
    segmenter = fit_segmenter(make(name, size), *squares(24, size), 3, settings)
    frames, truth = squares(12, size, seed=1)
    predicted = predict(segmenter, frames)
    assert predicted.dtype == np.uint8
    assert segmentation_scores(predicted, truth, 3).miou > 0.8
    assert not segmenter.training


def test_frozen_moves_no_weight_of_the_encoder():
    encoder = make()
    before = copy.deepcopy(encoder.state_dict())
    segmenter = fit_segmenter(encoder, *squares(6, 32), 3, replace(QUICK, updates=3))
    for state in (encoder.state_dict(), segmenter.encoder.state_dict()):
        assert all(torch.equal(before[key], state[key]) for key in before)
    assert segmenter.encoder is not encoder
    assert not any(weight.requires_grad for weight in segmenter.encoder.parameters())


def test_full_moves_everything_early_layers_less():
    encoder = make()
    before = copy.deepcopy(encoder.state_dict())
    settings = replace(QUICK, mode="full", updates=3, layer_decay=0.3, weight_decay=0.0)
    segmenter = fit_segmenter(encoder, *squares(6, 32), 3, settings)
    assert all(torch.equal(before[key], value) for key, value in encoder.state_dict().items())
    after = segmenter.encoder.state_dict()
    moved = {key: float((after[key] - before[key]).abs().max()) for key in before}
    assert min(moved.values()) > 0
    # Adam's steps are as long as its rates, whatever the gradients.
    prefix = "backbone.network."
    names = ["enter.weight", *(f"blocks.{i}.from_heads.weight" for i in range(4)), "norm.weight"]
    steps = [moved[prefix + name] for name in names]
    assert all(early < 0.6 * late for early, late in pairwise(steps))
    assert segmenter.encoder.state_version > encoder.state_version
    assert segmenter.encoder.frozen


@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_a_seed_repeats_to_the_bit_and_leaves_torch_alone(mode):
    settings = replace(QUICK, mode=mode, updates=3)
    encoder, data = make(), squares(6, 32)
    state = torch.get_rng_state()
    states = [fit_segmenter(encoder, *data, 3, settings, seed=seed).state_dict() for seed in (1, 1, 2)]
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(states[0][key], states[1][key]) for key in states[0])
    assert not torch.equal(states[0]["head.classify.weight"], states[2]["head.classify.weight"])


def test_frozen_and_full_begin_with_the_same_function_and_scale():
    encoder, (frames, masks) = make(), squares(6, 32)
    settings = replace(QUICK, updates=1, lr=1e-12, encoder_lr=1e-12)
    frozen = fit_segmenter(encoder, frames, masks, 3, settings)
    full = fit_segmenter(encoder, frames, masks, 3, replace(settings, mode="full"))
    with torch.no_grad():
        torch.testing.assert_close(frozen(frames), full(frames), atol=1e-5, rtol=1e-5)
        maps = frozen.maps(frames)
        even = (maps - frozen.shift) * frozen.scale
    torch.testing.assert_close(even.mean((0, 2, 3)), torch.zeros(maps.shape[1]), atol=1e-4, rtol=0)
    torch.testing.assert_close(even.std((0, 2, 3), correction=0), torch.ones(maps.shape[1]))


def test_constant_channels_stay_as_they_are():
    segmenter = Segmenter(make("nature-cnn", 36), 2)
    segmenter.standardize(torch.full((2, 64, 1, 1), 7.0))
    assert (segmenter.shift == 7).all()
    assert (segmenter.scale == 1).all()


def test_pixels_that_are_not_judged_teach_nothing():
    encoder, (frames, masks) = make(), squares(6, 32)
    masks[:, :8] = 255
    first = fit_segmenter(encoder, frames, masks, 3, replace(QUICK, updates=5))
    masks[4:] = 255  # batches of such frames alone must not divide by 0
    second = fit_segmenter(encoder, frames, masks, 3, replace(QUICK, updates=5, batch_size=1))
    for segmenter in (first, second):
        assert all(torch.isfinite(weight).all() for weight in segmenter.parameters())


def test_rare_classes_count_more():
    """12, 3 and 1 of 16 judged pixels: weights by the square root go as 1 : 2 : sqrt(12)."""
    masks = np.zeros((1, 4, 5), np.uint8)
    masks[0, 0, :3], masks[0, 1, 0], masks[0, :, 4] = 1, 2, 255
    for balance, ratios in {0.0: (1, 1, 1), 0.5: (1, 2, 12**0.5), 1.0: (1, 4, 12)}.items():
        weight = _class_weights(masks, 4, balance)
        assert (weight[:3] / weight[0]).tolist() == pytest.approx(ratios)
        assert weight[3] == 0  # nothing is of that class
        assert float(weight @ torch.tensor([12.0, 3.0, 1.0, 0.0])) == pytest.approx(16)


def test_the_loss_is_the_weighted_mean_of_judged_pixels():
    """Logits 0 cost ln 2 for every pixel, whatever it counts."""
    truth = torch.tensor([[[0, 1, 255]]], dtype=torch.uint8)
    weight = torch.tensor([0.5, 3.0])
    logits = torch.zeros(1, 2, 1, 3)
    assert float(_loss(logits, truth, weight)) == pytest.approx(np.log(2))
    logits[0, :, 0, 1] = torch.tensor([0.0, 2.0])  # the second pixel is told better
    better = np.log1p(np.exp(-2))
    assert float(_loss(logits, truth, weight)) == pytest.approx((0.5 * np.log(2) + 3 * better) / 3.5)
    assert float(_loss(logits, torch.full_like(truth, 255), weight)) == 0


def test_arrays_may_be_mapped_from_a_file(tmp_path):
    frames, masks = squares(5, 32)
    for name, array in {"frames": frames, "mask": masks}.items():
        np.save(tmp_path / name, array)
    mapped = [np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in ("frames", "mask")]
    settings = replace(QUICK, updates=2)
    one, other = (fit_segmenter(make(), *data, 3, settings) for data in ((frames, masks), mapped))
    np.testing.assert_array_equal(predict(one, frames), predict(other, mapped[0]))
    assert predict(one, frames[:0]).shape == (0, 32, 32)


@pytest.mark.cuda
@pytest.mark.parametrize("mode", ["frozen", "full"])
def test_it_learns_on_a_cuda_device(mode, cuda_device):
    encoder = load_encoder("vit-nano", weights="none", input_size=(32, 32), device=cuda_device)
    settings = replace(QUICK, mode=mode, lr=3e-3, encoder_lr=3e-3, head="pyramid", updates=40)
    segmenter = fit_segmenter(encoder, *squares(24, 32), 3, settings)
    frames, truth = squares(12, 32, seed=1)
    assert segmentation_scores(predict(segmenter, frames), truth, 3).miou > 0.8


class Vector(Backbone):
    def forward(self, x):
        return Features(x.mean((2, 3)), None, None)


def test_what_cannot_be_trained_on_is_refused(without_type_checks):
    encoder, (frames, masks) = make(), squares(3, 32)
    blind = ImageEncoder(
        EncoderSpec("blind", "network", "blind", "mit", input_size=(32, 32)), Vector(), device="cpu"
    )
    with pytest.raises(ValueError, match=r"`encoder` must have feature maps. Received 'blind'"):
        fit_segmenter(blind, frames, masks, 3)
    with pytest.raises(ValueError, match="`frames` must hold at least one image"):
        fit_segmenter(encoder, frames[:0], masks[:0], 3)
    with pytest.raises(ValueError, match=r"`masks` must be \(3, 32, 32\), .*Received \(3, 32, 30\)"):
        fit_segmenter(encoder, frames, masks[:, :, :30], 3)
    with pytest.raises(ValueError, match=r"`masks` must hold labels in 0..1 or 255\. Received 2, first in"):
        fit_segmenter(encoder, frames, masks, 2)
    with pytest.raises(ValueError, match=r"`n_classes` must be in 2..255\. Received 1"):
        fit_segmenter(encoder, frames, masks, 1)
    with pytest.raises(ValueError, match="`masks` must label at least one pixel"):
        fit_segmenter(encoder, frames, np.full_like(masks, 255), 3)
    cropped = load_encoder(
        "vit-nano", weights="none", input_size=(32, 32), resize="shortest_crop", device="cpu"
    )
    with pytest.raises(ValueError, match=r"`encoder` must read whole frames.*resize=\"squash\""):
        fit_segmenter(cropped, np.zeros((3, 32, 40, 3), np.uint8), np.zeros((3, 32, 40), np.uint8), 2)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("head", "unet", r"`head` must be one of \['linear'"),
        ("mode", "thawed", r"`mode` must be one of \['frozen', 'full'\]"),
        ("updates", 0, "`updates` must be at least 1"),
        ("batch_size", 0, "`batch_size` must be at least 1"),
        ("lr", float("nan"), "`lr` must be a finite number"),
        ("encoder_lr", 0.0, "`encoder_lr` must be above 0"),
        ("balance", 1.5, r"`balance` must be in \[0, 1\]"),
        ("layer_decay", 0.0, r"`layer_decay` must be in \(0, 1\]"),
        ("weight_decay", -1.0, "`weight_decay` must be at least 0"),
        ("warm_up", 1.0, r"`warm_up` must be in \[0, 1\)"),
    ],
)
def test_settings_are_bounded(field, value, message, without_type_checks):
    with pytest.raises(ValueError, match=message):
        SegmentationSettings(**{field: value})
    assert SegmentationSettings().head in HEADS


def test_scores_by_hand():
    """Class 0: 2 both of 4 either; class 1: 1 of 3; class 2: 1 of 1; class 3: nowhere."""
    truth = np.array([[[0, 0, 0], [1, 1, 2]], [[255, 255, 255], [255, 255, 255]]], np.uint8)
    predicted = np.array([[[0, 0, 1], [1, 0, 2]], [[3, 3, 3], [0, 1, 2]]], np.int64)
    scores = segmentation_scores(predicted, truth, 4)
    np.testing.assert_allclose(scores.iou, [2 / 4, 1 / 3, 1, np.nan])
    assert scores.miou == pytest.approx((1 / 2 + 1 / 3 + 1) / 3)
    assert scores.pixel_accuracy == pytest.approx(4 / 6)
    # A class that is predicted but never true counts with 0.
    assert segmentation_scores(np.array([[[0, 1]]]), np.zeros((1, 1, 2), np.uint8), 2).miou == 0.25


def test_scores_refuse_what_they_cannot_count(without_type_checks):
    truth = np.zeros((2, 1, 2), np.uint8)
    with pytest.raises(ValueError, match=r"`predicted` must have the shape of `truth`, \(2, 1, 2\)"):
        segmentation_scores(truth[:1], truth, 2)
    wrong = truth.copy()
    wrong[1, 0, 1] = 9
    with pytest.raises(ValueError, match=r"`truth` .* in 0..2 or 255\. Received 9, first in frame 1"):
        segmentation_scores(truth, wrong, 3)
    with pytest.raises(ValueError, match=r"`predicted` must hold labels in 0..2\. Received 255"):
        segmentation_scores(np.full_like(truth, 255), truth, 3)
    with pytest.raises(ValueError, match=r"Received -1, first in frame 0"):
        check_labels("predicted", np.full((1, 1, 1), -1), 3)
    with pytest.raises(ValueError, match="`truth` must label at least one pixel"):
        segmentation_scores(truth, np.full_like(truth, 255), 3)


def test_pictures_by_hand(without_type_checks):
    assert len({tuple(color) for color in palette().tolist()}) == 20
    frames = np.full((1, 1, 3, 3), 100, np.uint8)
    masks = np.array([[[0, 20, 255]]], np.uint8)
    # Half of 100 and half of (31, 119, 180); halves go to the even neighbor.
    expected = [[[66, 110, 140], [66, 110, 140], [100, 100, 100]]]
    assert overlay(frames, masks, opacity=0.5)[0].tolist() == expected
    assert overlay(frames[..., :1], masks, opacity=0.0).tolist() == frames.tolist()
    sides = compare_masks(frames, masks, np.full_like(masks, 255))
    assert sides[0, 0, :3].tolist() == sides[0, 0, 6:].tolist() == frames[0, 0].tolist()
    assert sides[0, 0, 3].tolist() != frames[0, 0, 0].tolist()
    with pytest.raises(ValueError, match=r"`opacity` must be in \[0, 1\]\. Received 2"):
        overlay(frames, masks, opacity=2.0)
    with pytest.raises(ValueError, match=r"`frames` must have 1 or 3 channels, last\. Received 4"):
        overlay(np.zeros((1, 1, 3, 4), np.uint8), masks)
    with pytest.raises(ValueError, match=r"`masks` must be \(1, 1, 3\).*Received \(1, 1, 2\)"):
        overlay(frames, masks[..., :2])
