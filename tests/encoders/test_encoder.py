"""Contract of image encoders: frozen, finite, of one shape, bounded in memory."""

import copy
import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from jaxtyping import TypeCheckError
from tiny_encoder import FRAMES, SPEC, TinyBackbone, tiny_encoder
from torch import nn

from rlpriors import checkpoint
from rlpriors.encoders import ImageEncoder, load_encoder
from rlpriors.encoders.fingerprint import weights_digest
from rlpriors.types import Encoder


def test_it_is_an_encoder() -> None:
    assert isinstance(tiny_encoder(), Encoder)


@pytest.mark.parametrize(
    "readout", ["cls", "grid(2)", "flatten", "spatial-softmax", "crops(1,2)", "topk-crops(2)"]
)
def test_space_shape_and_values_agree(readout: str) -> None:
    e = tiny_encoder(readout=readout)
    z = e.encode(FRAMES)
    assert z.dtype == torch.float32
    assert z.shape == (7, *e.output_shape)
    assert e.output_space == gym.spaces.Box(-np.inf, np.inf, e.output_shape, np.float32)
    assert e.output_space.contains(z[0].numpy())
    assert e.encode(FRAMES[:0]).shape == (0, *e.output_shape)


@pytest.mark.parametrize("readout", ["cls", "crops(1,2)", "grid(2)>random-projection(3)"])
@pytest.mark.parametrize("chunk_size", [1, 2, 3, 7, 100])
def test_chunks_change_nothing(readout: str, chunk_size: int) -> None:
    whole, chunked = tiny_encoder(readout=readout), tiny_encoder(readout=readout, chunk_size=chunk_size)
    assert isinstance(chunked.backbone, TinyBackbone)
    chunked.backbone.batches.clear()
    torch.testing.assert_close(chunked.encode(FRAMES), whole.encode(FRAMES), atol=1e-6, rtol=0)
    assert max(chunked.backbone.batches) <= chunk_size
    if readout == "cls":
        assert len(chunked.backbone.batches) == -(-7 // chunk_size)


def test_one_by_one_is_all_at_once() -> None:
    e = tiny_encoder(readout="flatten")
    singles = torch.cat([e.encode(frame[None]) for frame in FRAMES])
    torch.testing.assert_close(singles, e.encode(FRAMES), atol=1e-6, rtol=0)


def test_vectors_of_several_sizes_at_once() -> None:
    e = tiny_encoder(chunk_size=2)
    parts = [FRAMES[:3], FRAMES[3:, :20]]
    torch.testing.assert_close(
        e.encode_images(parts), torch.cat([e.encode(part) for part in parts]), atol=1e-6, rtol=0
    )


def test_motion_readouts_get_the_frame_before() -> None:
    e = tiny_encoder(readout="motion-mask(difference)", chunk_size=3)
    before = FRAMES.copy()
    before[4, 10:30, 10:30] = 255 - before[4, 10:30, 10:30]
    still, moving = e.encode(FRAMES, FRAMES), e.encode(FRAMES, before)
    torch.testing.assert_close(e.encode(FRAMES), still)  # without one, a frame is its own predecessor
    changed = [not torch.allclose(a, b) for a, b in zip(still, moving, strict=True)]
    assert changed == [False] * 4 + [True] + [False] * 2


def test_frozen_means_frozen() -> None:
    e = tiny_encoder()
    holder = nn.ModuleList([e])
    before = weights_digest(e)
    first = e.encode(FRAMES)
    holder.train()
    e.train(True)
    assert not any(module.training for module in e.modules())
    assert not any(parameter.requires_grad for parameter in e.parameters())
    assert torch.equal(e.encode(FRAMES), first)  # dropout is off
    e(e.preprocess(FRAMES))
    assert weights_digest(e) == before  # batch statistics too


def test_unfrozen_learns_and_freezes_again() -> None:
    e = tiny_encoder().unfreeze().train()
    assert e.backbone.training
    e(e.preprocess(FRAMES)).global_.sum().backward()
    assert all(parameter.grad is not None for parameter in e.backbone.parameters())
    assert not e.freeze().backbone.training


def test_encodings_can_be_trained_on() -> None:
    """They come from inference mode, whose own tensors autograd refuses."""
    for readout in ("cls", "crops(1,2)"):
        z = tiny_encoder(readout=readout, chunk_size=4).encode(FRAMES)
        assert not z.requires_grad
        head = nn.Linear(z.shape[1], 1)
        head(z).sum().backward()
        assert head.weight.grad is not None


def test_gradients_reach_the_pixels() -> None:
    e = tiny_encoder()
    x = e.preprocess(FRAMES).requires_grad_()
    e(x).global_.sum().backward()
    assert x.grad is not None
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize("amp", ["bf16", "fp16"])
def test_half_precision_comes_back_as_float32(amp: Any) -> None:
    full, half = tiny_encoder(readout="flatten"), tiny_encoder(readout="flatten", amp=amp)
    z = half.encode(FRAMES)
    assert z.dtype == torch.float32
    assert not torch.equal(z, full.encode(FRAMES))
    torch.testing.assert_close(z, full.encode(FRAMES), atol=0.05, rtol=0.05)
    assert half.fingerprint().difference(full.fingerprint()) == ("precision",)


def test_channels_last_changes_nothing_but_the_layout() -> None:
    fast = tiny_encoder(channels_last=True)
    assert fast.preprocess(FRAMES).is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(fast.encode(FRAMES), tiny_encoder().encode(FRAMES), atol=1e-5, rtol=0)


def test_compile_is_called_once_and_never_saved(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(torch, "compile", lambda function: calls.append(function) or function)
    e = tiny_encoder(compile=True)
    e.encode(FRAMES)
    e.encode(FRAMES)
    assert len(calls) == 1
    assert set(e.state_dict()) == set(tiny_encoder().state_dict())
    torch.testing.assert_close(copy.deepcopy(e).encode(FRAMES), tiny_encoder().encode(FRAMES))
    assert len(calls) == 2


def test_pickle_and_copies() -> None:
    e = tiny_encoder(readout="grid(2)")
    for twin in (pickle.loads(pickle.dumps(e)), copy.deepcopy(e)):
        assert torch.equal(twin.encode(FRAMES), e.encode(FRAMES))
        assert twin.fingerprint() == e.fingerprint()


def test_input_the_network_cannot_take() -> None:
    with pytest.raises(ValueError, match=r"cannot take frames of input_size=\(4, 4\)"):
        ImageEncoder(replace(SPEC, input_size=(4, 4)), TinyBackbone(), device="cpu")


def test_options_are_checked() -> None:
    with pytest.raises(ValueError, match="`chunk_size` must be at least 1"):
        tiny_encoder(chunk_size=0)
    with pytest.raises((ValueError, TypeCheckError), match="amp"):
        tiny_encoder(amp="int8")
    with pytest.raises(ValueError, match="`readout`"):
        tiny_encoder(readout="clss")


def test_frames_are_checked() -> None:
    e = tiny_encoder()
    with pytest.raises(ValueError, match="must have 3 or 1 channels"):
        e.encode(FRAMES[..., :2])
    with pytest.raises(TypeError, match="Received int64"):
        e.encode(FRAMES.astype(np.int64))
    with pytest.raises(ValueError, match="batch axis"):
        e.encode(FRAMES[0])


def test_set_readout() -> None:
    e = tiny_encoder()
    assert e.set_readout("attention-pool") is e
    assert not any(parameter.requires_grad for parameter in e.readout.parameters())
    assert e.output_shape == e.encode(FRAMES).shape[1:]


def test_save_keeps_the_options(tmp_path: Path) -> None:
    e = load_encoder(
        "nature-cnn",
        weights="none",
        device="cpu",
        readout="attention-pool",
        input_size=(44, 40),
        resize="pad",
    )
    folder = e.save(tmp_path)
    again = load_encoder(folder, device="cpu")
    assert torch.equal(again.encode(FRAMES), e.encode(FRAMES))
    assert again.fingerprint() == e.fingerprint()
    assert again.spec == e.spec
    assert again.frozen
    damaged = (folder / "model.safetensors").read_bytes()[:-8] + b"damaged!"
    (folder / "model.safetensors").write_bytes(damaged)
    with pytest.raises(checkpoint.CheckpointError, match="fingerprints"):
        load_encoder(folder, device="cpu")


@pytest.mark.cuda
def test_cuda_agrees_with_the_cpu(cuda_device: str) -> None:
    e = load_encoder("impala-cnn", weights="none", device="cpu", readout="crops(1,2)")
    on_cuda = copy.deepcopy(e).to(cuda_device)
    assert on_cuda.device.type == cuda_device
    assert on_cuda.encode(FRAMES).device.type == cuda_device
    torch.testing.assert_close(on_cuda.encode(FRAMES).cpu(), e.encode(FRAMES), atol=2e-3, rtol=1e-3)
    assert on_cuda.fingerprint() == e.fingerprint()


def _in_place(e: ImageEncoder) -> None:
    with torch.no_grad():
        next(e.backbone.parameters()).mul_(0.5)


def _replaced(e: ImageEncoder) -> None:
    name, weight = next(iter(e.backbone.named_parameters()))
    owner, _, last = name.rpartition(".")
    setattr(e.backbone.get_submodule(owner), last, torch.nn.Parameter(weight * 2))


def _optimized(e: ImageEncoder) -> None:
    optimizer = torch.optim.SGD(e.unfreeze().parameters(), lr=0.1)
    e(e.preprocess(FRAMES)).global_.sum().backward()
    optimizer.step()
    e.freeze()


@pytest.mark.parametrize("change", [_in_place, _replaced, _optimized])
def test_state_version_counts_edits_of_weights(change: Any) -> None:
    e = tiny_encoder()
    version = e.state_version
    e.encode(FRAMES)
    e.freeze().eval().to("cpu")
    assert e.state_version == version
    change(e)
    assert e.state_version == version + 1
    e.encode(FRAMES)
    assert e.state_version == version + 1
    twin = copy.deepcopy(e)
    assert twin.state_version == version + 1
    assert pickle.loads(pickle.dumps(e)).state_version == version + 1
    change(twin)
    assert (twin.state_version, e.state_version) == (version + 2, version + 1)


def test_state_version_survives_a_move() -> None:
    e = tiny_encoder()
    version = e.state_version
    e.double().float()  # new tensors, as a move to another device makes
    assert e.state_version == version
    _in_place(e)
    e.double().float()
    assert e.state_version == version + 1


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_weights_that_are_not_finite_are_neither_saved_nor_loaded(
    value: float, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    e = load_encoder("nature-cnn", weights="none", device="cpu")
    next(e.backbone.parameters()).data[0] = value
    with pytest.raises(ValueError, match="weights of ImageEncoder must be finite"):
        e.save(tmp_path / "refused")
    assert not (tmp_path / "refused").exists()
    monkeypatch.setattr(checkpoint, "check_finite", lambda module: None)
    folder = e.save(tmp_path / "foreign")
    monkeypatch.undo()
    with pytest.raises(checkpoint.CheckpointError, match="weights of ImageEncoder must be finite"):
        load_encoder(folder, device="cpu")
