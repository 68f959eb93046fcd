"""BatchNorm statistics and 8-bit integers on one's own frames."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from rlpriors.encoders import EncoderSpec, ImageEncoder, bn_calibrate, load_encoder, quantize
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.types import Features

RNG = np.random.default_rng(0)
FRAMES = RNG.integers(0, 60, (12, 32, 32, 3), dtype=np.uint8)  # dark, unlike photographs


class OneNorm(Backbone):
    """A BatchNorm layer over the pixels."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(1)
        self.drop = nn.Dropout(0.5)

    def forward(self, x: torch.Tensor) -> Features:
        maps = self.drop(self.norm(x))
        return Features(maps.mean((2, 3)), None, maps)


def one_norm(readout: str = "cls") -> ImageEncoder:
    spec = EncoderSpec(
        name="one-norm", source="network", model_id="x", license="mit", input_size=(2, 1), channels=1,
        mean=(0.0,), std=(1 / 255,), resize="native",
    )  # fmt: skip
    return ImageEncoder(spec, OneNorm(), readout, device="cpu")


def test_by_hand() -> None:
    """Pixels 1, 3, 5, 7: mean 4, variance 20 / 3 with Bessel's correction."""
    encoder = one_norm()
    pixels = np.array([[1, 3], [5, 7]], np.uint8).reshape(2, 2, 1, 1)
    assert bn_calibrate(encoder, pixels) is encoder
    norm = encoder.backbone.norm
    torch.testing.assert_close(norm.running_mean, torch.tensor([4.0]))
    torch.testing.assert_close(norm.running_var, torch.tensor([20 / 3]))
    expected = (torch.tensor([2.0, 6.0]) - 4) / (20 / 3 + 1e-5) ** 0.5
    torch.testing.assert_close(encoder.encode(pixels)[:, 0], expected)
    assert (norm.momentum, norm.training, encoder.training) == (0.1, False, False)


def test_batches_are_averaged() -> None:
    """Two batches of equal size: the mean is that of all pixels, whatever the order."""
    pixels = RNG.integers(0, 256, (8, 2, 1, 1), dtype=np.uint8)
    means = []
    for seed in (0, 1):
        encoder = bn_calibrate(one_norm(), pixels, batch_size=4, seed=seed)
        means.append((encoder.backbone.norm.running_mean.item(), encoder.backbone.norm.running_var.item()))
        assert encoder.backbone.norm.num_batches_tracked == 2
    assert means[0][0] == pytest.approx(pixels.mean())
    assert means[1][0] == pytest.approx(pixels.mean())
    assert means[0][1] != means[1][1]  # the variance is within batches


@pytest.mark.parametrize("name", ["efficientnet-lite0", "timm:test_resnet"])
def test_activations_are_normalized_afterwards(name: str, tmp_path: Path) -> None:
    weights = "auto" if name == "efficientnet-lite0" else "none"
    encoder = load_encoder(name, weights=weights, input_size=(32, 32), device="cpu")
    before, version = encoder.fingerprint(), encoder.state_version
    parameters = {key: value.clone() for key, value in encoder.backbone.named_parameters()}
    old = encoder.encode(FRAMES)
    bn_calibrate(encoder, FRAMES)
    assert encoder.fingerprint().difference(before) == ("weights",)
    assert encoder.state_version > version
    assert all(torch.equal(parameters[key], value) for key, value in encoder.backbone.named_parameters())
    assert not torch.allclose(encoder.encode(FRAMES), old, atol=1e-3)
    seen = []
    first = next(module for module in encoder.backbone.modules() if isinstance(module, nn.BatchNorm2d))
    hook = first.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    encoder.encode(FRAMES)
    hook.remove()
    torch.testing.assert_close(first.running_mean, seen[0].mean((0, 2, 3)), atol=1e-5, rtol=1e-4)
    encoder.save(tmp_path)
    again = load_encoder(tmp_path, device="cpu")
    assert again.fingerprint() == encoder.fingerprint()
    assert torch.equal(again.encode(FRAMES), encoder.encode(FRAMES))


def test_crops_have_the_statistics_of_crops() -> None:
    """A bright quarter becomes an image of its own, as large as the frame."""
    frames = np.zeros((4, 64, 64, 3), np.uint8)
    frames[:, 1::2, :32] = 255
    seen = {}
    for readout in ("cls", "crops(1,2)"):
        encoder = load_encoder(
            "timm:test_resnet", weights="none", readout=readout, input_size=(32, 32), device="cpu"
        )
        bn_calibrate(encoder, frames)
        seen[readout] = encoder.backbone.state_dict()
    assert any(not torch.equal(value, seen["crops(1,2)"][key]) for key, value in seen["cls"].items())


def test_bad_inputs_leave_the_encoder_unchanged() -> None:
    encoder = one_norm()
    before = encoder.fingerprint()
    two = np.zeros((2, 2, 1, 1), np.uint8)
    with pytest.raises(ValueError, match="Received 1 frames and 64"):
        bn_calibrate(encoder, two[:1])
    with pytest.raises(ValueError, match="Received 2 frames and 1"):
        bn_calibrate(encoder, two, batch_size=1)
    with pytest.raises(ValueError, match=r"must have BatchNorm layers. Received 'nature-cnn'"):
        bn_calibrate(load_encoder("nature-cnn", weights="none", device="cpu"), two)
    with pytest.raises(ValueError, match=r"needs previous frames; calibrate with `set_readout"):
        bn_calibrate(one_norm("motion-mask(difference)"), two)
    encoder.preprocess.shift.fill_(float("inf"))
    with pytest.raises(ValueError, match="must have finite activations"):
        bn_calibrate(encoder, two)
    assert encoder.fingerprint() == before
    assert (encoder.backbone.norm.momentum, encoder.backbone.norm.training) == (0.1, False)


def quantized(frames: np.ndarray = FRAMES, **options: object) -> ImageEncoder:
    pytest.importorskip("nncf", reason="needs the `int8` extra")
    return quantize(
        load_encoder("timm:test_resnet", weights="none", input_size=(32, 32), device="cpu", **options), frames
    )


def test_features_in_8_bits_are_close_to_those_in_32() -> None:
    encoder = quantized()
    expected = load_encoder("timm:test_resnet", weights="none", input_size=(32, 32), device="cpu").encode(
        FRAMES
    )
    error = (encoder.encode(FRAMES) - expected).abs() / expected.std()
    assert 0 < float(error.max()) < 0.3
    assert encoder.backend == "openvino"


def test_the_precision_is_part_of_the_fingerprint() -> None:
    encoder, other = quantized(), quantized(FRAMES[:6])
    exact = load_encoder("timm:test_resnet", weights="none", input_size=(32, 32), device="cpu")
    assert encoder.fingerprint().mismatch(exact.fingerprint()) == ("precision", "backend")
    assert encoder.fingerprint().mismatch(other.fingerprint()) == ("precision",)
    assert encoder.fingerprint() == quantized().fingerprint()
    assert encoder.set_backend("torch").fingerprint() == exact.fingerprint()


def test_refusals_of_8_bits() -> None:
    pytest.importorskip("nncf", reason="needs the `int8` extra")
    encoder = load_encoder("nature-cnn", weights="none", device="cpu", amp="bf16")
    with pytest.raises(ValueError, match="`amp` must be None for a network in 8 bits"):
        quantize(encoder, np.zeros((2, 84, 84, 3), np.uint8))
    with pytest.raises(ValueError, match="`frames` must hold at least 1 frame"):
        quantized(FRAMES[:0])
    with pytest.raises(ValueError, match="`n_images` must be at least 1"):
        quantize(encoder, FRAMES, n_images=0)
    trained = load_encoder("timm:test_resnet", weights="none", input_size=(32, 32), device="cpu").unfreeze()
    with pytest.raises(ValueError, match="encoder that is trained"):
        quantize(trained, FRAMES)
    assert trained.backend == "torch"
