"""Encoders that OpenVINO runs: the features of torch, and refusals where it cannot run."""

import multiprocessing
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_encoder import FRAMES, SPEC, TinyBackbone, tiny_encoder

from rlpriors.encoders import ImageEncoder, bn_calibrate, load_encoder
from rlpriors.encoders.backbones.base import Backbone
from rlpriors.encoders.backend_choice import choose_backend
from rlpriors.encoders.dataset.encode import encode_dataset
from rlpriors.encoders.dataset.encoded_dataset import load_encoded
from rlpriors.encoders.openvino_backend import OpenVINONetwork, check_backend
from rlpriors.types import Features

openvino = pytest.importorskip("openvino", reason="needs the `openvino` extra")
COLORS = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("efficientnet-lite0", {"weights": "auto", "input_size": (64, 64), "readout": "cls+mean"}),
        ("efficientnet-lite0", {"weights": "auto", "input_size": (64, 64), "stride": 16, "readout": "lines"}),
        ("timm:test_vit", {"input_size": (64, 64), "readout": "flatten"}),
        ("vit-nano", {"readout": "mean"}),
        ("rlpriors/atari-filters", {"weights": "auto"}),
        ("nature-cnn", {"readout": "crops(1,2)"}),
    ],
)
def test_features_are_those_of_torch(name: str, options: dict[str, Any]) -> None:
    options = {"weights": "none", "device": "cpu"} | options
    expected = load_encoder(name, **options).encode(COLORS)
    encoder = load_encoder(name, **options, backend="openvino", chunk_size=2)
    for frames, rows in ((COLORS, slice(None)), (COLORS[3:4], slice(3, 4)), (COLORS[:0], slice(0))):
        ours = encoder.encode(frames)
        assert ours.shape == expected[rows].shape
        assert ours.dtype == torch.float32
        if len(ours):
            assert float((ours - expected[rows]).abs().max() / expected.std()) < 1e-3


def test_the_fingerprint_names_it(tmp_path: Path) -> None:
    torch_encoder, encoder = tiny_encoder(), tiny_encoder(backend="openvino")
    difference = torch_encoder.fingerprint()
    assert difference.difference(encoder.fingerprint()) == ("backend",)
    assert difference.explain(encoder.fingerprint()) == "backend: 'torch' here and 'openvino' there"
    assert difference.mismatch(encoder.fingerprint()) == ()  # they agree within the tolerance
    encode_dataset(FRAMES, encoder, tmp_path / "all", progress=False)
    load_encoded(tmp_path / "all", torch_encoder)
    half = tiny_encoder(amp="bf16")
    with pytest.raises(ValueError, match="precision: 'fp32' here and 'bf16' there; backend: 'openvino' here"):
        load_encoded(tmp_path / "all", half)
    assert replace(half.fingerprint(), backend="openvino").mismatch(half.fingerprint()) == ("backend",)


def test_a_data_set_is_resumed_with_the_backend_that_began_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder, calls = tiny_encoder(backend="openvino"), iter(range(2))

    def stop_in_the_second_batch(*arguments: Any) -> torch.Tensor:
        if next(calls) == 1:
            raise KeyboardInterrupt
        return ImageEncoder.encode(encoder, *arguments)

    monkeypatch.setattr(encoder, "encode", stop_in_the_second_batch)
    with pytest.raises(KeyboardInterrupt):
        encode_dataset(FRAMES, encoder, tmp_path, batch_size=4, progress=False)
    with pytest.raises(ValueError, match="backend: 'openvino' here and 'torch' there"):
        encode_dataset(FRAMES, tiny_encoder(), tmp_path, batch_size=4, progress=False)
    monkeypatch.undo()
    assert len(encode_dataset(FRAMES, encoder, tmp_path, batch_size=4, progress=False).features) == len(
        FRAMES
    )


def test_changed_weights_are_converted_again() -> None:
    encoder, expected = tiny_encoder(backend="openvino"), tiny_encoder()
    before = encoder.encode(FRAMES)
    for one in (encoder, expected):
        with torch.no_grad():
            one.backbone.convolution.weight.mul_(0.5)
        bn_calibrate(one, FRAMES)
    after = encoder.encode(FRAMES)
    assert not torch.allclose(after, before, atol=1e-3)
    torch.testing.assert_close(after, expected.encode(FRAMES), atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("backend", ["openvino", "auto"])
def test_a_scale_is_fitted_after_the_conversion(backend: Any) -> None:
    options: dict[str, Any] = {"weights": "none", "device": "cpu", "readout": "mean"}
    encoder, expected = (
        load_encoder("nature-cnn", backend=backend, **options),
        load_encoder("nature-cnn", **options),
    )
    for one in (encoder, expected):
        vectors = one.encode(COLORS)
        one.set_readout("mean>scale")
        one.readout.transforms[-1].fit(vectors)
    assert encoder.backend == "openvino"
    torch.testing.assert_close(encoder.encode(COLORS), expected.encode(COLORS), atol=1e-3, rtol=1e-3)
    load_encoder("nature-cnn", backend="openvino", **options | {"readout": "mean>scale"})  # not fitted yet


def test_backends_are_chosen_and_changed(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level("INFO", "rlpriors.encoders.backend_choice")
    encoder = choose_backend(tiny_encoder())
    assert encoder.backend == "openvino"
    assert "tiny is run by OpenVINO" in caplog.text
    version = encoder.state_version
    assert encoder.set_backend("openvino").state_version == version
    assert encoder.set_backend("torch").state_version == version + 1  # wrappers must not go on with it
    assert choose_backend(tiny_encoder(amp="bf16")).backend == "torch"
    assert "half precision (bf16) differs between backends" in caplog.text
    assert choose_backend(tiny_encoder(compile=True)).backend == "torch"
    trained = tiny_encoder().unfreeze()
    with pytest.raises(ValueError, match="`backend` must be 'torch' for an encoder that is trained"):
        trained.set_backend("openvino")
    different = ImageEncoder(SPEC, BatchDependent(), device="cpu")
    version = different.state_version
    assert choose_backend(different).backend == "torch"
    assert "OpenVINO's global_ differ from torch's" in caplog.text
    assert different.state_version == version
    monkeypatch.setitem(sys.modules, "openvino", None)
    caplog.clear()
    assert load_encoder("nature-cnn", weights="none", device="cpu", backend="auto").backend == "torch"
    assert 'nature-cnn is run by torch: backend="openvino" needs OpenVINO' in caplog.text


def test_saved_encoders_load_with_it(tmp_path: Path) -> None:
    encoder = load_encoder("nature-cnn", weights="none", device="cpu", readout="grid(2)", seed=3)
    encoder.save(tmp_path)
    loaded = load_encoder(tmp_path, backend="openvino")
    assert (loaded.backend, loaded.device.type) == ("openvino", "cpu")
    torch.testing.assert_close(loaded.encode(COLORS), encoder.encode(COLORS), atol=1e-4, rtol=1e-3)


def test_half_precision_is_named_or_refused() -> None:
    capabilities = openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    for amp, name in (("bf16", "BF16"), ("fp16", "FP16")):
        if name in capabilities:
            encoder = tiny_encoder(backend="openvino", amp=amp)
            assert encoder.fingerprint().precision == amp
            full = tiny_encoder().encode(FRAMES)
            assert 0 < (encoder.encode(FRAMES) - full).abs().max() < 0.05
        else:
            with pytest.raises(ValueError, match=f"`amp` must be None on this CPU.*Received '{amp}'"):
                tiny_encoder(backend="openvino", amp=amp)


def test_what_it_cannot_do_is_refused() -> None:
    encoder = tiny_encoder(backend="openvino")
    with pytest.raises(ValueError, match="`unfreeze` requires backend='torch'"):
        encoder.unfreeze()
    x = encoder.preprocess(FRAMES)
    with pytest.raises(ValueError, match="must not require a gradient"):
        encoder(x.requires_grad_())
    with pytest.raises(ValueError, match=r"must be on the CPU.*Received 'meta'"):
        encoder(torch.empty(1, 3, 40, 40, device="meta"))
    with pytest.raises(ValueError, match="`compile` must be False"):
        tiny_encoder(backend="openvino", compile=True)
    with pytest.raises(ValueError, match=r"`device` must be \"cpu\" with .*Received 'cuda:0'"):
        check_backend("openvino", None, torch.device("cuda:0"), False)
    with pytest.raises(
        ValueError, match=r"`backend` must be one of \['torch', 'openvino'\]. Received 'onnx'"
    ):
        check_backend("onnx", None, torch.device("cpu"), False)
    assert not encoder.can_mask
    with pytest.raises(ValueError, match="`forward_tokens` requires backend='torch'"):
        encoder.forward_tokens(torch.zeros(1, 3, 64, 64), torch.zeros(1, 4, dtype=torch.long))


class BatchDependent(Backbone):
    """Features that a tracer cannot follow: the number of images becomes a constant."""

    def forward(self, x: torch.Tensor) -> Features:
        return Features(x.mean((2, 3)) * float(len(x)), None, None)


class FixedBatch(Backbone):
    """Features whose number of images becomes a constant."""

    def forward(self, x: torch.Tensor) -> Features:
        return Features(
            x.mean((2, 3)), torch.ones(1, 2, 3).expand(len(x), -1, -1) * x[:, :1, :2, :3].sum(1), None
        )


def _first_difference(features: Features, scale: float) -> torch.Tensor:
    """A readout that enlarges what two libraries compute differently."""
    return (scale * features.global_).sin()


class Unknown(Backbone):
    """An operation that OpenVINO does not have."""

    def forward(self, x: torch.Tensor) -> Features:
        return Features(torch.linalg.eigvalsh(x[:, 0]), None, None)


def test_networks_that_come_out_otherwise_are_refused() -> None:
    x = torch.rand(3, 3, 8, 8)
    with pytest.raises(ValueError, match=r"OpenVINO's global_ differ from torch's by .* of their spread"):
        OpenVINONetwork(BatchDependent(), x, None)
    with pytest.raises(ValueError, match=r"must be 'torch' for this network: OpenVINO cannot convert it"):
        OpenVINONetwork(Unknown(), x, None)
    with pytest.raises(
        ValueError, match=r"OpenVINO's \w+ differ from torch's by (their shape|an error for a batch)"
    ):
        OpenVINONetwork(FixedBatch(), x, None)
    amplified = partial(_first_difference, scale=1e6)
    OpenVINONetwork(TinyBackbone().eval(), x, None)
    with pytest.raises(ValueError, match=r"OpenVINO's encodings differ from torch's"):
        OpenVINONetwork(TinyBackbone().eval(), x, None, amplified)


def encode_in_worker(encoder: ImageEncoder, results: Any) -> None:
    try:
        encoder.encode(FRAMES)
    except RuntimeError as error:
        results.put(str(error))


def test_forked_processes_are_refused() -> None:
    encoder = tiny_encoder(backend="openvino")
    encoder.encode(FRAMES)
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    worker = context.Process(target=encode_in_worker, args=(encoder, results))
    worker.start()
    assert "does not run in a forked process" in results.get(timeout=60)
    worker.join(60)
    assert worker.exitcode == 0
