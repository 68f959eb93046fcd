"""Checks of readout arguments.

`check_int`        an integer of at least 1
`check_positive`   a finite number above 0
"""

from typing import Any

__all__ = ["check_int", "check_positive"]


def check_int(name: str, value: Any) -> int:
    """Return `value` if it is an integer of at least 1.

    Raises:
        ValueError: it is not; the message names the argument `name`.
    """
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"`{name}` must be a whole number of at least 1. Received {value!r}.")
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
