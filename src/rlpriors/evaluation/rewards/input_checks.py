"""Checks of the inputs of comparisons of rewards.

`check_pairs`        check of the two inputs of a correlation
`check_returned`     check of the numbers that a reward returned
`check_transitions`  check of the sizes and numbers of transitions
`check_sampled`      check of sampled tensors for finite numbers
"""

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from rlpriors.types import Transition

__all__ = ["check_pairs", "check_returned", "check_sampled", "check_transitions"]


def check_transitions(transitions: Transition) -> None:
    """Check that all entries are finite and have the same number of rows, and observations the same shape.

    Raises:
        ValueError: they differ, or an entry holds NaN or infinity.
    """
    shapes = [tuple(entry.shape) for entry in transitions]
    if len({shape[0] for shape in shapes}) > 1 or shapes[0] != shapes[2]:
        raise ValueError(
            "`transitions` must have entries with the same number of rows, and observations of one shape. "
            f"Received the shapes {shapes}."
        )
    names = (f"transitions.{name}" for name in Transition._fields)
    check_sampled(**dict(zip(names, transitions, strict=True)))


def check_sampled(**tensors: Tensor) -> None:
    """Check that each tensor is finite: a reward may ignore NaN, and its comparison would be meaningless.

    Raises:
        ValueError: a tensor holds NaN or infinity; the message names it.
    """
    for name, tensor in tensors.items():
        finite = tensor.isfinite()
        if not finite.all():
            raise ValueError(
                f"`{name}` must be finite. Received {int((~finite).sum())} NaN or infinite numbers."
            )


def check_returned(name: str, scores: Any, n_rows: int) -> Float[Tensor, " batch"]:
    """Return the numbers of a reward as float64.

    Raises:
        ValueError: `scores` is no tensor with one number for each row; the message names `name`.
    """
    if not isinstance(scores, Tensor) or scores.shape != (n_rows,):
        received = tuple(scores.shape) if isinstance(scores, Tensor) else type(scores).__name__
        raise ValueError(
            f"`{name}` must return one number for each row, a tensor of shape ({n_rows},). Received "
            f"{received}."
        )
    return scores.double()


def check_pairs(**pair: np.ndarray) -> None:
    """Check the two inputs of a correlation, given by their names.

    Raises:
        ValueError: see `pearson`; the message names the input.
    """
    for name, x in pair.items():
        if x.ndim != 1:
            raise ValueError(f"`{name}` must have 1 dimension. Received shape {x.shape}.")
    (name_a, a), (name_b, b) = pair.items()
    if len(a) != len(b) or len(a) < 2:
        raise ValueError(
            f"`{name_a}` and `{name_b}` must have the same length, at least 2. "
            f"Received {len(a)} and {len(b)}."
        )
    for name, x in pair.items():
        if not np.isfinite(x).all():
            raise ValueError(
                f"`{name}` must be finite. Received {int((~np.isfinite(x)).sum())} NaN or infinite."
            )
        # Below this spread the correlation is rounding noise, as scipy warns too.
        if np.ptp(x) <= 1e-12 * np.abs(x).max():
            raise ValueError(
                f"`{name}` must vary for a correlation. Received the constant {float(x[0]):g}; compare on "
                "more varied data, or check the training of the reward."
            )
