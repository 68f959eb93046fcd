"""Inverse of a sum of outer products: against torch's inverse, and by hand."""

import pytest
import torch

from rlpriors.rewards.exploration import InverseCovariance


def direct(rows: torch.Tensor, lambda0: float) -> torch.Tensor:
    return torch.linalg.inv(lambda0 * torch.eye(rows.shape[1], dtype=torch.float64) + rows.T @ rows)


@pytest.mark.parametrize("lambda0", [1e-3, 1.0, 7.0])
@pytest.mark.parametrize("sizes", [[1, 1, 1], [4, 30, 2], [100], [0, 3]])
def test_batches_of_any_size_give_the_inverse(lambda0: float, sizes: list[int]) -> None:
    rows = torch.randn(sum(sizes), 6, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    matrix = InverseCovariance(6, lambda0)
    for part in rows.split(sizes):
        matrix.add(part)
    torch.testing.assert_close(matrix.inverse, direct(rows, lambda0), rtol=1e-7, atol=1e-9)
    assert int(matrix.n_rows) == sum(sizes)
    x = torch.randn(5, 6, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected = torch.stack([row @ direct(rows, lambda0) @ row for row in x])
    torch.testing.assert_close(matrix.quadratic(x), expected, rtol=1e-6, atol=1e-9)


def test_two_dimensions_by_hand() -> None:
    matrix = InverseCovariance(2, lambda0=1.0)
    matrix.add(torch.tensor([[1.0, 1.0]]))
    # The matrix is [[2, 1], [1, 2]], and its inverse [[2, -1], [-1, 2]] / 3.
    torch.testing.assert_close(matrix.inverse * 3, torch.tensor([[2.0, -1.0], [-1.0, 2.0]]).double())
    torch.testing.assert_close(matrix.quadratic(torch.tensor([1.0, 0.0])), torch.tensor(2 / 3).double())
    matrix.reset()
    assert torch.equal(matrix.inverse, torch.eye(2).double())
    assert int(matrix.n_rows) == 0


def test_many_float32_rows_stay_accurate() -> None:
    """Ten thousand steps one by one, as a training adds them."""
    rows = torch.randn(10_000, 4, generator=torch.Generator().manual_seed(0)) * 3
    matrix = InverseCovariance(4, 1e-2)
    for part in rows.split(10):
        matrix.add(part)
    torch.testing.assert_close(matrix.inverse, direct(rows.double(), 1e-2), rtol=1e-9, atol=0)
    assert torch.equal(matrix.inverse, matrix.inverse.T)


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="`lambda0` must be above 0"):
        InverseCovariance(2, 0.0)
    with pytest.raises(ValueError, match="`dim` must be at least 1"):
        InverseCovariance(0)
    with pytest.raises(ValueError, match="`phi` must be finite"):
        InverseCovariance(1).add(torch.tensor([[float("nan")]]))
