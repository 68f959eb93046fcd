"""Check of a function's arguments by their annotations.

`check_arguments`     decorator that checks numbers, names, functions, instances and arrays
`check_array_fields`  the same check of the fields of a dataclass of arrays
`as_number_array`     conversion of lists and tensors to arrays of numbers
`fit_integer_array`   conversion of an array to the integers of its annotation

Settings classes call `check_fields` of `rlpriors.settings` instead.
"""

import inspect
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import fields
from functools import wraps
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from jaxtyping import AbstractArray

from rlpriors.settings import SettingsError, fit_value

__all__ = ["as_number_array", "check_arguments", "check_array_fields", "fit_integer_array"]

Function = TypeVar("Function", bound=Callable[..., Any])


def check_arguments(
    function: Function, *, skip: Collection[str] = (), unbounded: Collection[str] = ()
) -> Function:
    """Decorate a function so that each argument is checked against its annotation before the call.

    int, float, bool, str, Path, Literal, tuples and instances of classes are checked as by `check_fields`:
    numbers are finite, True is no number, and numpy's numbers become Python's.  Functions must be callable.
    An array must hold numbers, integers where the annotation says so, and have the annotated number of
    dimensions; lists become arrays.  Arguments named in `skip` are not checked.  Numbers named in
    `unbounded` may be NaN or infinite, since the function checks their bounds.  A number named `seed` is at
    least 0.

    Raises:
        ValueError: the decorated function receives anything else; the message names the argument.

    Example:
        >>> @check_arguments
        ... def repeat(text: str, times: int = 2) -> str:
        ...     return text * times
        >>> repeat("ab")
        'abab'
        >>> repeat("ab", 1.5)
        Traceback (most recent call last):
        ...
        rlpriors.settings.SettingsError: `times` must be an integer. Received 1.5.
    """
    signature = inspect.signature(function)
    parameters = {
        name: parameter
        for name, parameter in signature.parameters.items()
        if name not in skip
        and parameter.kind not in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD)
        and parameter.annotation is not parameter.empty
        and not isinstance(parameter.annotation, str)
    }

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        for name, parameter in parameters.items():
            value = bound.arguments.get(name, parameter.default)
            if value is parameter.default or (name in unbounded and isinstance(value, float)):
                continue
            value = _fit_argument(name, value, parameter.annotation)
            if name == "seed" and isinstance(value, int) and value < 0:
                raise SettingsError(f"`seed` must be at least 0. Received {value}.")
            bound.arguments[name] = value
        return function(*bound.args, **bound.kwargs)

    return call  # type: ignore[return-value]


def check_array_fields(instance: Any) -> None:
    """Check each field of a dataclass as `check_arguments` checks arguments, and convert lists to arrays.

    Raises:
        ValueError: a field does not fit its annotation; the message names the field.
    """
    hints = get_type_hints(type(instance))
    for field in fields(instance):
        value = getattr(instance, field.name)
        fitted = _fit_argument(field.name, value, hints[field.name])
        if fitted is not value:
            object.__setattr__(instance, field.name, fitted)


def as_number_array(name: str, value: Any) -> np.ndarray:
    """Return numbers of a list, a tensor or an array as an array.

    Raises:
        ValueError: the value holds anything else than numbers, rows of different lengths, or booleans among
            numbers; the message names `name`.
    """
    try:
        array = np.asarray(value.detach().cpu() if isinstance(value, torch.Tensor) else value)
    except TypeError as error:  # a tensor of bfloat16, which numpy lacks
        raise SettingsError(
            f"`{name}` must hold numbers of a numpy type. Received {getattr(value, 'dtype', _show(value))}; "
            "convert it to float32."
        ) from error
    except ValueError as error:  # rows of different lengths
        raise SettingsError(
            f"`{name}` must be an array of numbers. Received {_show(value)} with rows of different lengths."
        ) from error
    if array.dtype.kind not in "biuf":
        raise SettingsError(f"`{name}` must be an array of numbers. Received {_show(value)}.")
    if array.dtype.kind != "b" and _holds_booleans(value):
        raise SettingsError(
            f"`{name}` must be an array of numbers. Received {_show(value)} with booleans among its numbers."
        )
    return array


def fit_integer_array(name: str, array: Any, hint: Any) -> Any:
    """Return an array whose annotation says integers as these; others are returned unchanged.

    Raises:
        ValueError: the annotation is of integers, and the array of fractions or of integers beyond the
            bounds of the annotated type; the message names `name`.
    """
    dtypes = getattr(hint, "dtypes", None)
    names: list[str] = list(dtypes) if isinstance(dtypes, tuple) else []
    if not names or 0 in array.shape or not all(kind.startswith(("int", "uint")) for kind in names):
        return array
    tensor = isinstance(array, torch.Tensor)
    if array.is_floating_point() if tensor else array.dtype.kind == "f":
        raise SettingsError(f"`{name}` must hold integers. Received {array.dtype}; convert or round them.")
    if len(names) > 1 or array.dtype == getattr(torch if tensor else np, names[0]):
        return array
    bounds = np.iinfo(names[0])
    lowest, highest = int(array.min()), int(array.max())
    if lowest < bounds.min or highest > bounds.max:
        raise SettingsError(
            f"`{name}` must hold integers in {bounds.min}..{bounds.max}. Received {lowest}..{highest}."
        )
    return array.to(getattr(torch, names[0])) if tensor else array.astype(names[0])


def _fit_argument(name: str, value: Any, hint: Any) -> Any:
    if _is_named_tuple(hint) and isinstance(value, tuple) and len(value) == len(hint._fields):
        hints = get_type_hints(hint)
        pairs = zip(hint._fields, value, strict=True)
        entries = [_fit_argument(f"{name}.{field}", entry, hints[field]) for field, entry in pairs]
        same = all(entry is given for entry, given in zip(entries, value, strict=True))
        return value if same else hint(*entries)
    choices = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    if (value is None and type(None) in choices) or any(_accepts(value, choice) for choice in choices):
        return value
    arrays = [choice for choice in choices if _is_array(choice)]
    plain = [choice for choice in choices if not _is_array(choice)]
    if plain and all(_is_checked(choice) for choice in plain):
        try:
            return fit_value(name, value, Union[tuple(plain)] if len(plain) > 1 else plain[0])  # noqa: UP007
        except SettingsError:
            if not arrays:
                raise
    elif plain:
        for choice in filter(_is_checked, plain):
            with suppress(SettingsError):
                return fit_value(name, value, choice)
        described = " or ".join(_name(choice) for choice in choices)
        raise SettingsError(f"`{name}` must be {described}. Received {_show(value)}.")
    return _fit_array(name, value, arrays[0])


def _accepts(value: Any, hint: Any) -> bool:
    """Return True for hints that only functions have: protocols, spaces, and unchecked ones."""
    origin = get_origin(hint) or hint
    if hint is Any or isinstance(hint, TypeVar):
        return True
    if getattr(origin, "_is_protocol", False):
        return callable(value) and not isinstance(value, type)  # a call of a class makes an instance
    if origin is Callable:
        return callable(value)
    if isinstance(origin, type) and issubclass(origin, Sequence) and origin not in (tuple, list, str, bytes):
        return isinstance(value, np.ndarray) and value.ndim == 1
    unchecked_generic = origin is not hint and isinstance(origin, type) and not _is_checked(hint)
    return unchecked_generic and isinstance(value, origin)


def _is_named_tuple(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields")


def _is_checked(hint: Any) -> bool:
    """Return True if `fit_value` checks values of the hint."""
    origin = get_origin(hint)
    if getattr(origin or hint, "_is_protocol", False) or origin is Callable:
        return False
    generic = isinstance(origin, type) and not issubclass(origin, Sequence | dict | tuple)
    return not generic or origin.__module__ == "collections.abc"


def _is_array(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, AbstractArray)


def _fit_array(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as an array or a tensor of numbers with the annotated number of dimensions."""
    array: np.ndarray | torch.Tensor
    if hint.array_type is torch.Tensor:
        if not isinstance(value, torch.Tensor):
            raise SettingsError(f"`{name}` must be a tensor. Received {_show(value)}; use torch.as_tensor.")
        if value.is_complex():
            raise SettingsError(f"`{name}` must hold real numbers. Received {value.dtype}.")
        array = value
    else:
        array = as_number_array(name, value)
    variadic = hint.index_variadic is not None
    fewest = len(hint.dims) - variadic
    if array.ndim < fewest or (array.ndim > fewest and not variadic):
        raise SettingsError(
            f"`{name}` must have {'at least ' * variadic}{fewest} dimension{'s' * (fewest != 1)}, "
            f"[{hint.dim_str.strip()}]. Received shape {tuple(array.shape)}."
        )
    return fit_integer_array(name, array, hint)


def _holds_booleans(value: Any) -> bool:
    """Return True for True and False in a list or a tuple, nested ones included."""
    if isinstance(value, list | tuple):
        return any(map(_holds_booleans, value))
    return isinstance(value, bool | np.bool_)


def _name(hint: Any) -> str:
    if hint in (None, type(None)):
        return "None"
    if getattr(get_origin(hint) or hint, "_is_protocol", False) or get_origin(hint) is Callable:
        return "a function"
    return f"an instance of {getattr(get_origin(hint) or hint, '__name__', str(hint))}"


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}..."
