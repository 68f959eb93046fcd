"""Conversion of the array arguments of evaluation functions.

`array_arguments`  decorator that converts arguments to arrays of numbers and checks their dimensions
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

import numpy as np

from rlpriors.arguments import as_number_array, check_arguments, fit_integer_array

__all__ = ["array_arguments"]

Function = TypeVar("Function", bound=Callable[..., Any])


def array_arguments(**fewest_dims: int) -> Callable[[Function], Function]:
    """Decorate a function whose named arguments are arrays with at least this number of dimensions.

    Lists, tuples and tensors become arrays before the call.  An array whose annotation says integers holds
    no fractions.  Arguments that are None or left out stay so.
    `check_arguments` checks the other arguments by their annotations.

    Raises:
        ValueError: the decorated function receives anything else; the message names the argument.

    Example:
        >>> @array_arguments(scores=1)
        ... def best(scores):
        ...     return scores.max()
        >>> float(best([1.0, 3.0]))
        3.0
        >>> best(3.0)
        Traceback (most recent call last):
        ...
        ValueError: `scores` must have at least 1 dimension. Received shape (); pass an array or a list.
    """

    def decorate(function: Function) -> Function:
        signature = inspect.signature(function)
        checked = check_arguments(function, skip=fewest_dims)
        hints = {name: signature.parameters[name].annotation for name in fewest_dims}
        optional = {name for name in fewest_dims if signature.parameters[name].default is None}

        @wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            for name, dims in fewest_dims.items():
                value = bound.arguments.get(name)
                if name in bound.arguments and not (value is None and name in optional):
                    array = _as_array(name, value, dims)
                    bound.arguments[name] = fit_integer_array(name, array, hints[name])
            return checked(*bound.args, **bound.kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _as_array(name: str, value: Any, fewest_dims: int) -> np.ndarray:
    array = as_number_array(name, value)
    if array.ndim < fewest_dims:
        plural = "s" if fewest_dims > 1 else ""
        raise ValueError(
            f"`{name}` must have at least {fewest_dims} dimension{plural}. Received shape {array.shape}; "
            f"pass an array{' or a list' if fewest_dims == 1 else ''}."
        )
    return array
