"""Checks of the inputs and settings of rewards.

`check_rows`      numpy rows of a given size with finite entries
`check_positive`  positive numbers
`check_factors`   factors and offsets of rewards that float32 can hold
"""

import numpy as np
from jaxtyping import Float32
from numpy.typing import ArrayLike
from torch import Tensor

from rlpriors.arguments import as_number_array

__all__ = ["LARGEST", "check_factors", "check_positive", "check_rows"]

LARGEST = 1e30
"""Largest factor of a reward: rewards are float32 numbers, which end at 3e38."""


def check_rows(name: str, values: ArrayLike, shape: tuple[int, ...]) -> Float32[np.ndarray, "batch *shape"]:
    """Return `values` as float32 rows of this shape, [batch, *shape]; `name` is "obs", "act" or "obs_next".

    Raises:
        ValueError: the values have another rank or size, or an entry is NaN or infinite.
    """
    with np.errstate(over="ignore"):  # too large numbers become infinite, which is refused below
        rows = as_number_array(name, values).astype(np.float32, copy=False)
    sizes = ", ".join(map(str, shape))
    if rows.ndim != 1 + len(shape):
        raise ValueError(
            f"`{name}` must be [batch, {sizes}], one row per transition. Received shape {rows.shape}."
        )
    if rows.shape[1:] != shape:
        kind = "observation" if name.startswith("obs") else "action"
        reads = f"{sizes} entries of each {kind}" if len(shape) == 1 else f"images of shape {shape}"
        raise ValueError(
            f"`{name}` must be [batch, {sizes}], since this reward reads {reads}. "
            f"Received shape {rows.shape}; pass data in the layout of the training data."
        )
    bad = ~np.isfinite(rows.reshape(len(rows), -1)).all(1)
    if bad.any():
        raise ValueError(
            f"`{name}` must be finite, but {int(bad.sum())} of its {len(rows)} rows hold NaN or "
            f"infinity. Received {rows[bad][0].tolist()} in row {int(bad.argmax())}; drop or repair it."
        )
    return rows


def check_positive(**values: float | Tensor) -> None:
    """Raise a ValueError for the first of `values` that is not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueError(f"`{name}` must be above 0. Received {float(value)}.")


def check_factors(**values: tuple[float, ...]) -> None:
    """Raise a ValueError for the first of `values` with a number that is not in -1e30..1e30."""
    for name, factors in values.items():
        for factor in factors:
            if not abs(factor) <= LARGEST:
                raise ValueError(f"`{name}` must be finite, at most {LARGEST:g}. Received {factor}.")
