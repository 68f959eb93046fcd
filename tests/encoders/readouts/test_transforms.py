"""Fitted transforms against numpy, and their invariants."""

from pathlib import Path

import numpy as np
import pytest
import torch

from rlpriors.encoders import load_encoder
from rlpriors.encoders.readouts.projections import RandomProjection, SignProjection
from rlpriors.encoders.readouts.registry import parse_readout
from rlpriors.encoders.readouts.transform_base import Transform
from rlpriors.encoders.readouts.transforms import PCA, TRANSFORMS, Standardization, Whitening
from rlpriors.types import Features

DEVICES = ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)]


def vectors(n: int = 200, size: int = 6, offset: float = 50.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    mix = torch.randn(size, size, generator=generator)
    return torch.randn(n, size, generator=generator) @ mix + offset


def test_pca_against_numpys_svd() -> None:
    data = vectors()
    ours = PCA(3).fit(data)(data).numpy()
    centered = data.double().numpy() - data.double().numpy().mean(0)
    directions = np.linalg.svd(centered, full_matrices=False)[2][:3]
    signs = np.sign(directions[np.arange(3), np.abs(directions).argmax(1)])
    np.testing.assert_allclose(ours, centered @ (directions * signs[:, None]).T, atol=2e-4)


def test_pca_sorts_by_variance_and_a_full_pca_keeps_distances() -> None:
    data = vectors()
    out = PCA(6).fit(data)(data)
    variances = out.var(0)
    assert bool((variances[:-1] > variances[1:]).all())
    torch.testing.assert_close(torch.pdist(out), torch.pdist(data), atol=2e-3, rtol=1e-3)


def test_signs_do_not_depend_on_the_order_of_rows() -> None:
    data = vectors()
    torch.testing.assert_close(PCA(4).fit(data)(data), PCA(4).fit(data.flip(0))(data), atol=1e-3, rtol=1e-4)


def test_statistics_survive_a_large_offset() -> None:
    data = vectors(offset=0.0)
    far = (data.double() + 1e4).numpy()
    torch.testing.assert_close(
        PCA(2).fit(far).matrix, PCA(2).fit(data).matrix, atol=1e-4, rtol=0
    )  # squares of 1e4 in float32 would leave nothing of the variance


def test_whitening_gives_identity_covariance() -> None:
    data = vectors()
    out = Whitening(6).fit(data)(data)
    torch.testing.assert_close(torch.cov(out.T), torch.eye(6), atol=2e-3, rtol=0)
    torch.testing.assert_close(out.mean(0), torch.zeros(6), atol=1e-3, rtol=0)


def test_whitening_does_not_amplify_constant_directions() -> None:
    data = torch.cat([vectors(size=3), torch.ones(200, 1)], 1)
    whitening = Whitening(4).fit(data)
    assert whitening(data).abs().max() < 10
    assert torch.isfinite(Whitening(2).fit(torch.ones(5, 3))(torch.ones(5, 3))).all()


def test_random_projection_keeps_distances_on_average() -> None:
    points = torch.randn(20, 2000, generator=torch.Generator().manual_seed(1))
    projection = RandomProjection(512)
    assert projection.build(2000) == 512
    ratio = torch.pdist(projection(points)) / torch.pdist(points)
    assert abs(float(ratio.square().mean()) - 1) < 0.05
    assert bool(((ratio > 0.8) & (ratio < 1.2)).all())


def test_random_projection_is_its_seed() -> None:
    data = vectors()
    drawn = [RandomProjection(3, seed) for seed in (0, 0, 1)]
    for projection in drawn:
        projection.build(6)
    assert torch.equal(drawn[0](data), drawn[1](data))
    assert not torch.equal(drawn[0](data), drawn[2](data))


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", [name if name == "scale" else f"{name}(3)" for name in TRANSFORMS])
def test_contract(name: str, device: str) -> None:
    data = vectors().to(device)
    readout = parse_readout(f"cls>{name}")
    given = Features(data, None, None)
    readout.build(given)
    (transform,) = readout.transforms
    assert transform.name == name
    if isinstance(transform, PCA | Standardization):
        with pytest.raises(ValueError, match="not fitted yet"):
            readout(given)
        transform.fit(data)
    out = readout(given)
    assert out.shape == (200, 6 if name == "scale" else 3)
    assert out.device.type == device
    assert readout(Features(data.bfloat16(), None, None)).dtype == torch.bfloat16
    assert not list(readout.parameters())

    again = parse_readout(f"cls>{name}").build(given)
    again.load_state_dict(readout.state_dict())
    assert torch.equal(again(given), out)
    with pytest.raises(ValueError, match="vectors of size 6"):
        readout(Features(data[:, :4], None, None))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PCA(0), "`size` must be a whole number of at least 1"),
        (lambda: Whitening(2, floor=1.0), "`floor` must be between 0 and 1"),
        (lambda: RandomProjection(2, -1), "`seed` must be a whole number of at least 0"),
        (lambda: SignProjection(2, -1), "`seed` must be a whole number of at least 0"),
        (lambda: SignProjection(2**20).build(64), r"must be at most 524288 for vectors of 64 numbers"),
        (lambda: Standardization(0.0), "`floor` must be between 0 and 1"),
        (lambda: Standardization().fit(torch.ones(1, 3)), "at least 2 rows of numbers"),
        (lambda: Standardization()(vectors()), "not fitted yet"),
        (lambda: PCA(9).build(6), "`size` of 'pca\\(9\\)' must be at most 6"),
        (lambda: PCA(3).fit(vectors(3)), "at least 4 rows of numbers"),
        (lambda: PCA(1).fit(torch.tensor([[1.0], [np.nan], [2.0]])), "NaN or infinity, first in row 1"),
        (lambda: PCA(2)(vectors()), "not fitted yet"),
        (lambda: Transform().build(2), "must define `out_size`"),
        (lambda: Transform().name, "must define `name`"),
    ],
)
def test_bad_input(make: object, message: str) -> None:
    with pytest.raises((ValueError, NotImplementedError), match=message):
        make()  # type: ignore[operator]


@pytest.mark.parametrize("name", ["cls>whiten(3,0.001)", "cls>scale(0.5)", "cls>sign-projection(3,7)"])
def test_names_keep_their_arguments(name: str) -> None:
    assert parse_readout(name).name == name


@pytest.mark.parametrize("name", ["mean>pca(3)", "mean>whiten(3)", "lines>sign-projection(9)>scale"])
def test_encoders_are_saved_with_fitted_transforms(name: str, tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (12, 84, 84, 3), dtype=np.uint8)
    encoder = load_encoder("nature-cnn", weights="none", readout=name, device="cpu")
    before = load_encoder("nature-cnn", weights="none", readout=name.rpartition(">")[0], device="cpu")
    with pytest.raises(ValueError, match="not fitted yet"):
        encoder.encode(frames)
    encoder.readout.transforms[-1].fit(before.encode(frames))
    encoder.save(tmp_path)
    again = load_encoder(tmp_path, device="cpu")
    assert again.output_shape == ((9,) if "scale" in name else (3,))
    assert torch.equal(again.encode(frames), encoder.encode(frames))
    assert again.fingerprint() == encoder.fingerprint()


def test_scale_by_hand() -> None:
    """Deviations 2, 200 and 0; their root mean square is 115.5, and a tenth of it bounds the first."""
    data = torch.tensor([[1.0, 100.0, 5.0], [3.0, 300.0, 5.0], [5.0, 500.0, 5.0]])
    fitted = Standardization(0.1).fit(data)
    expected = torch.tensor([[-2 / 11.547, -1, 0], [0, 0, 0], [2 / 11.547, 1, 0]])
    torch.testing.assert_close(fitted(data), expected, atol=1e-4, rtol=0)
    assert not Standardization().fit(torch.ones(4, 2))(torch.ones(4, 2)).any()


def test_scaled_numbers_have_deviation_one() -> None:
    out = Standardization().fit(vectors())(vectors())
    torch.testing.assert_close(out.std(0), torch.ones(6), atol=1e-4, rtol=0)
    torch.testing.assert_close(out.mean(0), torch.zeros(6), atol=1e-4, rtol=0)
