"""Operations on numpy arrays and tensors: equal values, and the kind of the input."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from rlpriors.wrappers.arrays import Array, cast, concatenate, copied, dtype_name, permute, where, zeros

NUMBERS = np.arange(24, dtype=np.float32).reshape(2, 3, 4)

OPERATIONS: dict[str, Callable[[Any], Any]] = {
    "cast": lambda x: cast(x, "uint8"),
    "concatenate": lambda x: concatenate([x, x[:1]]),
    "concatenate along axis 1": lambda x: concatenate([x, x[:, :1]], 1),
    "copied": copied,
    "permute": lambda x: permute(x, (2, 0, 1)),
    "where": lambda x: where(x > 5, x, x[:1]),
    "zeros": lambda x: zeros([5, 2], like=x),
    "zeros of flags": lambda x: zeros([3], like=x > 5),
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_arrays_and_tensors_give_the_same(name: str) -> None:
    expected = OPERATIONS[name](NUMBERS)
    found = OPERATIONS[name](torch.from_numpy(NUMBERS))
    assert isinstance(expected, np.ndarray)
    assert isinstance(found, Tensor)
    assert dtype_name(found) == dtype_name(expected)
    np.testing.assert_array_equal(found.numpy(), expected)


def test_values_by_hand() -> None:
    assert cast(np.array([1.9, 255.0]), "uint8").tolist() == [1, 255]
    assert where(torch.tensor([True, False]), torch.tensor([1, 2]), torch.tensor([3, 4])).tolist() == [1, 4]
    assert permute(NUMBERS, (2, 0, 1)).shape == (4, 2, 3)


@pytest.mark.parametrize("array", [NUMBERS.copy(), torch.from_numpy(NUMBERS.copy())], ids=["array", "tensor"])
def test_a_copy_has_its_own_memory(array: Array) -> None:
    copy = copied(array)
    array[0] = -1
    assert copy[0, 0, 1] == 1


@pytest.mark.cuda
@pytest.mark.parametrize("name", OPERATIONS)
def test_tensors_stay_on_their_device(name: str, cuda_device: str) -> None:
    found = OPERATIONS[name](torch.from_numpy(NUMBERS).to(cuda_device))
    assert found.device.type == cuda_device
    np.testing.assert_array_equal(found.cpu().numpy(), OPERATIONS[name](NUMBERS))
