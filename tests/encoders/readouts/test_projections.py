"""Random projections: equal on every platform, and a checksum instead of a matrix."""

import hashlib
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.checkpoint import CheckpointError
from rlpriors.encoders import load_encoder
from rlpriors.encoders.readouts import projections
from rlpriors.encoders.readouts.projections import SignProjection

FRAMES = np.random.default_rng(0).integers(0, 256, (3, 84, 84, 3), dtype=np.uint8)


def test_signs_are_the_bits_of_pcg64() -> None:
    """numpy's first number for seed 0 is 11749869230777074271, in 64 bits from the lowest."""
    projection = SignProjection(16)
    projection.build(4)
    bits = [11749869230777074271 >> place & 1 for place in range(64)]
    assert projection.matrix is not None
    assert projection.matrix.flatten().tolist() == [0.25 if bit else -0.25 for bit in bits]
    first = hashlib.sha256(bytes(int("".join(map(str, bits[i : i + 8])), 2) for i in range(0, 64, 8)))
    assert int(projection.checksum) == int.from_bytes(first.digest()[:8], "little", signed=True)


def test_the_matrix_of_a_large_projection() -> None:
    """Every platform has to find this checksum."""
    projection = SignProjection(512, 3)
    projection.build(2880)
    assert int(projection.checksum) == 3912653110628204123
    assert projection.matrix is not None
    assert abs(float(projection.matrix.sum())) * math.sqrt(512) < 4 * math.sqrt(2880 * 512)


def test_distances_are_kept_on_average() -> None:
    points = torch.randn(20, 2000, generator=torch.Generator().manual_seed(1))
    projection = SignProjection(512)
    projection.build(2000)
    ratio = torch.pdist(projection(points)) / torch.pdist(points)
    assert abs(float(ratio.square().mean()) - 1) < 0.05
    assert bool(((ratio > 0.8) & (ratio < 1.2)).all())


def test_files_hold_the_checksum_alone(tmp_path: Path) -> None:
    options = {"weights": "none", "device": "cpu"}
    plain = load_encoder("nature-cnn", readout="flatten", **options)
    encoder = load_encoder("nature-cnn", readout="flatten>sign-projection(100,1)", **options)
    sizes = [
        (one.save(tmp_path / str(i)) / "model.safetensors").stat().st_size
        for i, one in enumerate((plain, encoder))
    ]
    assert sizes[1] - sizes[0] < 1000
    again = load_encoder(tmp_path / "1", device="cpu")
    assert torch.equal(again.encode(FRAMES), encoder.encode(FRAMES))
    assert again.fingerprint() == encoder.fingerprint()
    other = load_encoder("nature-cnn", readout="flatten>sign-projection(100,2)", **options)
    assert encoder.fingerprint().difference(other.fingerprint()) == ("readout",)
    state = other.state_dict()
    with pytest.raises(
        RuntimeError, match=r"matrix of 'sign-projection\(100,1\)' differs from the saved one"
    ):
        encoder.load_state_dict(state)


def test_another_generator_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = load_encoder(
        "nature-cnn", weights="none", readout="cls>sign-projection(8)", device="cpu", input_size=(40, 40)
    )
    encoder.save(tmp_path)
    monkeypatch.setattr(projections.np.random, "PCG64", np.random.PCG64DXSM)
    with pytest.raises(CheckpointError, match=r"its checksum is .* Encode with the version that saved it"):
        load_encoder(tmp_path, device="cpu")


@pytest.mark.cuda
def test_the_same_matrix_on_cuda(cuda_device: str) -> None:
    on_cpu, on_cuda = SignProjection(8), SignProjection(8)
    on_cpu.build(100)
    on_cuda.build(100, cuda_device)
    assert on_cuda.matrix is not None
    assert torch.equal(on_cuda.matrix.cpu(), on_cpu.matrix)
    assert int(on_cuda.checksum) == int(on_cpu.checksum)
