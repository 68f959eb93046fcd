import numpy as np
import pytest
import torch

from rlpriors.data import Normalizer

DATA = np.array([[0.0, -3.0, 7.0], [4.0, 1.0, 7.0], [2.0, -1.0, 7.0]])


def test_limits_by_hand():
    normalizer = Normalizer.limits(DATA)
    assert normalizer.loc.tolist() == [2, -1, 7]
    assert normalizer.scale.tolist() == [2, 2, 1]  # the constant column keeps its unit
    assert normalizer(torch.tensor(DATA).float()).tolist() == [[-1, -1, 0], [1, 1, 0], [0, 0, 0]]


def test_gaussian_by_hand():
    normalizer = Normalizer.gaussian(DATA)
    assert normalizer.loc.tolist() == [2, -1, 7]
    torch.testing.assert_close(normalizer.scale, torch.tensor([(8 / 3) ** 0.5, (8 / 3) ** 0.5, 1.0]))
    assert Normalizer.gaussian(DATA, eps=10.0).scale.tolist() == [1, 1, 1]


def test_gaussian_keeps_its_digits_over_many_rows():
    data = 1e4 + np.random.default_rng(0).normal(size=(100_000, 1)).astype(np.float32)
    assert Normalizer.gaussian(data).scale.item() == pytest.approx(
        float(data.astype(np.float64).std()), rel=1e-5
    )


@pytest.mark.parametrize("fit", [Normalizer.limits, Normalizer.gaussian])
@pytest.mark.parametrize("shape", [(3,), (5, 3), (2, 5, 3)])
def test_inverse_undoes_forward(fit, shape):
    normalizer, x = fit(torch.tensor(DATA)), torch.randn(shape, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(normalizer.inverse(normalizer(x)), x)


def test_concat_is_side_by_side():
    both = Normalizer.concat(Normalizer.limits(DATA), Normalizer.identity(2))
    assert both.dim == 5
    assert both.loc.tolist() == [2, -1, 7, 0, 0]
    assert both.scale.tolist() == [2, 2, 1, 1, 1]


def test_travels_with_the_weights():
    fitted, empty = Normalizer.limits(DATA), Normalizer.identity(3)
    empty.load_state_dict(fitted.state_dict())
    assert torch.equal(empty.loc, fitted.loc)
    assert torch.equal(empty.scale, fitted.scale)
    assert not list(fitted.parameters())


def test_a_copy_is_kept():
    data = torch.zeros(3)
    normalizer = Normalizer(data, torch.ones(3))
    data += 1
    assert normalizer.loc.tolist() == [0, 0, 0]


@pytest.mark.parametrize("method", ["forward", "inverse"])
def test_wrong_size_is_refused(method):
    with pytest.raises(
        ValueError, match=r"`x` must have 3 entries along its last axis.*Received shape \(4, 2\)"
    ):
        getattr(Normalizer.limits(DATA), method)(torch.zeros(4, 2))


@pytest.mark.parametrize("fit", [Normalizer.limits, Normalizer.gaussian])
def test_bad_data_are_refused(fit):
    bad = DATA.copy()
    bad[1, 2] = np.nan
    with pytest.raises(
        ValueError, match=r"1 of its 3 rows hold NaN.*first row 1. Received \[4.0, 1.0, nan\]"
    ):
        fit(bad)
    with pytest.raises(ValueError, match=r"`x` must be rows of numbers.*Received shape \(3,\)"):
        fit(bad[0])
    with pytest.raises(ValueError, match=r"n and dim at least 1. Received shape \(0, 3\)"):
        fit(bad[:0])


def test_bad_numbers_are_refused():
    with pytest.raises(ValueError, match=r"`scale` positive. Received"):
        Normalizer(torch.zeros(2), torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"vectors of one length. Received shapes \(2,\) and \(3,\)"):
        Normalizer(torch.zeros(2), torch.ones(3))
    with pytest.raises(ValueError, match=r"`eps` must be at least 0. Received -1"):
        Normalizer.gaussian(DATA, eps=-1.0)
    with pytest.raises(ValueError, match=r"`dim` must be at least 1. Received 0"):
        Normalizer.identity(0)
    with pytest.raises(ValueError, match="`parts` must contain at least one"):
        Normalizer.concat()


def test_rounding_is_no_range() -> None:
    x = np.array([[0.1 - 1e-7, 0.0], [0.1 + 1e-7, 1.0]])
    assert Normalizer.limits(x).scale.tolist() == [1.0, 0.5]
