"""Operations that numpy arrays and tensors share, for code that serves both.

`Array`        numpy array, or tensor on any device
`cast`         the values in another data type
`concatenate`  several arrays along an axis
`copied`       copy of an array
`dtype_name`   name of the data type, such as "uint8"
`permute`      array with its axes in another order
`where`        values of one of two arrays by a mask
`zeros`        zeros with the kind, data type and device of another array
"""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor

__all__ = ["Array", "cast", "concatenate", "copied", "dtype_name", "permute", "where", "zeros"]

Array: TypeAlias = np.ndarray | Tensor
"""Numpy array, or tensor on any device."""


def dtype_name(array: Array) -> str:
    """Return the name of the data type.

    Example:
        >>> dtype_name(np.zeros(1, np.uint8)), dtype_name(torch.zeros(1))
        ('uint8', 'float32')
    """
    return str(array.dtype).removeprefix("torch.")


def cast(array: Array, dtype: str) -> Array:
    """Return the values in the data type of this name."""
    return array.to(getattr(torch, dtype)) if isinstance(array, Tensor) else array.astype(dtype)


def copied(array: Array) -> Any:
    """Return a copy of an array, on its device."""
    return array.clone() if isinstance(array, Tensor) else array.copy()


def concatenate(arrays: Sequence[Any], axis: int = 0) -> Any:
    """Return the arrays, all of one kind, joined along an axis."""
    return torch.cat(list(arrays), axis) if isinstance(arrays[0], Tensor) else np.concatenate(arrays, axis)


def permute(array: Array, axes: Sequence[int]) -> Array:
    """Return a view with the axes in this order."""
    return array.permute(*axes) if isinstance(array, Tensor) else array.transpose(*axes)


def where(mask: Array, values: Any, others: Any) -> Any:
    """Return `values` where the mask is True and `others` elsewhere."""
    return torch.where(mask, values, others) if isinstance(mask, Tensor) else np.where(mask, values, others)


def zeros(shape: Sequence[int], like: Array) -> Any:
    """Return zeros of this shape with the kind, data type and device of `like`."""
    return like.new_zeros(tuple(shape)) if isinstance(like, Tensor) else np.zeros(tuple(shape), like.dtype)
