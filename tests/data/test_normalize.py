import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rlpriors.data import Normalizer
from rlpriors.data.normalize import DiscreteActions

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


ENCODINGS = ("one_hot", "bits")


def test_codes_of_discrete_actions_by_hand():
    one_hot, bits = (DiscreteActions(5, start=-1, encoding=encoding) for encoding in ENCODINGS)
    act = torch.tensor([[-1.0], [2.0], [3.0]])
    assert one_hot(act).tolist() == [[1, -1, -1, -1, -1], [-1, -1, -1, 1, -1], [-1, -1, -1, -1, 1]]
    assert bits(act).tolist() == [[-1, -1, -1], [-1, 1, 1], [1, -1, -1]]
    # 0.2 of a code is 0.6 of a probability; for bits: 0.8 x 0.5 x 0.9 for digits 1, 0, 0.
    assert one_hot.one_hot(torch.tensor([[0.2, -1, -1, -1, 1]])).tolist() == [
        [pytest.approx(0.6), 0, 0, 0, 1]
    ]
    assert bits.one_hot(torch.tensor([[0.6, 0.0, -0.8]]))[0, 4].item() == pytest.approx(0.8 * 0.5 * 0.9)
    # Digits 1, 1, 0 belong to no action of five: the nearest codes are 0, 1, 0 and 1, 0, 0.
    assert bits.inverse(torch.tensor([[0.3, 0.9, -0.9]])).tolist() == [[1.0]]


@given(n=st.integers(1, 40), start=st.integers(-50, 50), encoding=st.sampled_from(ENCODINGS))
def test_discrete_actions_come_back(n, start, encoding):
    actions = DiscreteActions(n, start, encoding)
    act = start + torch.arange(n, dtype=torch.float32)[:, None]
    codes = actions(act)
    assert codes.shape == (n, actions.dim)
    assert set(codes.flatten().tolist()) <= {-1.0, 1.0}
    assert torch.equal(actions.inverse(codes), act)
    assert torch.equal(actions.inverse(0.1 * codes), act)
    if n > 1:
        assert torch.equal(actions.one_hot(codes), torch.eye(n))
    assert (actions.space.n, actions.space.start) == (n, start)
    loaded = DiscreteActions(n, 0, encoding)
    loaded.load_state_dict(actions.state_dict())
    assert loaded.space == actions.space


@pytest.mark.parametrize("wrong", [4.0, 1.0, 2.5])
def test_actions_outside_of_the_space_are_refused(wrong):
    message = rf"must be actions of Discrete\(2, start=2\), whole numbers in 2\.\.3\. Received {wrong:g}"
    with pytest.raises(ValueError, match=message):
        DiscreteActions(2, start=2)(torch.tensor([[wrong]]))


@pytest.mark.usefixtures("without_type_checks")
def test_bad_codes_are_refused():
    with pytest.raises(ValueError, match=r"`n` must be at least 1. Received 0"):
        DiscreteActions(0)
    with pytest.raises(ValueError, match=r"`encoding` must be one of .*Received 'gray'"):
        DiscreteActions(3, encoding="gray")


def test_complex_numbers_are_refused() -> None:
    with pytest.raises(ValueError, match=r"`x` must hold real numbers\. Received torch\.complex128"):
        Normalizer.limits(np.ones((3, 2), np.complex128))
