"""Fingerprints of encoders."""

from dataclasses import replace
from typing import Any

import pytest
import torch
from tiny_encoder import tiny_encoder
from torch import nn

from rlpriors.encoders import ImageEncoder
from rlpriors.encoders.fingerprint import Fingerprint, weights_digest


def test_fingerprints_of_equal_parts_are_equal() -> None:
    assert tiny_encoder().fingerprint() == tiny_encoder().fingerprint()
    assert tiny_encoder().fingerprint().digest == tiny_encoder().fingerprint().digest


@pytest.mark.parametrize(
    ("change", "part"),
    [
        (lambda e: replace(e.spec, resize="pad"), "preprocess"),
        (lambda e: replace(e.spec, mean=(0.0, 0.0, 0.0)), "preprocess"),
        (lambda e: replace(e.spec, model_id="impala-cnn"), "spec"),
    ],
)
def test_spec_and_preprocess_are_distinguished(change: Any, part: str) -> None:
    e = tiny_encoder()
    other = ImageEncoder(change(e), e.backbone, device="cpu")
    assert e.fingerprint().difference(other.fingerprint()) == (part,)
    assert e.fingerprint().explain(other.fingerprint()).startswith(f"{part}: ")
    assert e.fingerprint().digest != other.fingerprint().digest


def test_names_and_notes_do_not_change_the_fingerprint() -> None:
    e = tiny_encoder()
    other = ImageEncoder(replace(e.spec, notes="x", name="y", license="z"), e.backbone, device="cpu")
    assert e.fingerprint() == other.fingerprint()


def test_weights_are_followed_as_they_change() -> None:
    e = tiny_encoder()
    first = e.fingerprint()
    with torch.no_grad():
        next(e.backbone.parameters()).add_(1)
    assert first.difference(e.fingerprint()) == ("weights",)
    e.load_state_dict(tiny_encoder().state_dict())
    assert e.fingerprint() == first


def test_weights_replaced_behind_autograds_back() -> None:
    e, first = tiny_encoder(), tiny_encoder().fingerprint()
    assert e.fingerprint() == first
    weight = next(e.backbone.parameters())
    weight.data.copy_(weight.data + 1)  # as Tianshou's polyak_parameter_update: no new version
    assert first.difference(e.fingerprint()) == ("weights",)


def test_readout_and_its_weights() -> None:
    first = tiny_encoder(readout="attention-pool").fingerprint()
    assert first.difference(tiny_encoder().fingerprint()) == ("readout",)
    assert first.difference(tiny_encoder(readout="attention-pool", seed=1).fingerprint()) == ("readout",)
    assert first == tiny_encoder(readout="attention-pool").fingerprint()


def test_precision_is_named() -> None:
    first, half = tiny_encoder().fingerprint(), tiny_encoder(amp="bf16").fingerprint()
    assert first.difference(half) == ("precision",)
    assert first.explain(half) == "precision: 'fp32' here and 'bf16' there"
    assert first.digest != half.digest
    options = {"compile": False, "channels_last": True, "chunk_size": 2}
    assert tiny_encoder(**options).fingerprint() == first


def test_fingerprints_of_earlier_versions() -> None:
    """They name neither precision nor backend: full precision, by torch."""
    data = tiny_encoder().fingerprint().as_dict()
    del data["precision"], data["backend"]
    assert Fingerprint.from_dict(data) == Fingerprint.from_dict(tiny_encoder().fingerprint().as_dict())
    with pytest.raises(ValueError, match="A fingerprint must hold"):
        Fingerprint.from_dict(data | {"mood": "good"})


def test_json() -> None:
    first = tiny_encoder().fingerprint()
    assert Fingerprint.from_dict(first.as_dict()) == Fingerprint.from_dict(first.as_dict())
    assert Fingerprint.from_dict(first.as_dict()).difference(first) == ()
    with pytest.raises(ValueError, match="A fingerprint must hold"):
        Fingerprint.from_dict({"weights": ""})


def test_any_type_of_tensor() -> None:
    module = nn.Linear(2, 2).to(torch.bfloat16)
    module.register_buffer("count", torch.tensor(3))
    assert len(weights_digest(module)) == 64
    assert weights_digest(module) != weights_digest(nn.Linear(2, 2))
