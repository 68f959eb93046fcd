"""Checks of readout arguments.

`check_int`        an integer from 1 to a maximum
`check_positive`   a finite number above 0
`MAX_SIZE`         maximum number of entries of a vector
"""

from typing import Any

__all__ = ["MAX_SIZE", "check_int", "check_positive"]

MAX_SIZE = 2**20
"""Maximum number of entries of the vector of one image."""


def check_int(name: str, value: Any, most: int = MAX_SIZE) -> int:
    """Return `value` if it is an integer from 1 to `most`.

    Raises:
        ValueError: it is not; the message names the argument `name`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received {value!r}.")
    if value > most:
        raise ValueError(
            f"`{name}` must be at most {most}, or the features would not fit into memory. Received {value}."
        )
    return value


def check_positive(name: str, value: Any) -> float:
    """Return `value` as a float if it is a finite number above 0.

    Raises:
        ValueError: it is not; the message names the argument `name`.
    """
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    if not (number and 0 < value < float("inf")):
        raise ValueError(f"`{name}` must be a finite number above 0. Received {value!r}.")
    return float(value)
