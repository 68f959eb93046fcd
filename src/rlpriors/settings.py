"""Check of a settings dataclass by the annotations of its fields.

`check_fields`   each field has the annotated type, and numbers are finite
`fit_value`      check of one named value by an annotation
`SettingsError`  error of a field of another type

Each settings class of the library calls `check_fields` first in `__post_init__`, and checks its bounds
afterwards.
"""

import math
import operator
import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields
from functools import cache
from numbers import Integral, Real
from pathlib import Path
from typing import Any, Literal, TypeGuard, Union, get_args, get_origin, get_type_hints

__all__ = ["SettingsError", "check_fields", "fit_value"]

LARGEST = 2**63 - 1
"""Largest integer of a setting: numpy and torch hold no larger ones."""

NAMES = {int: "an integer", float: "a finite number", bool: "True or False", str: "a string", Path: "a path"}
PLURALS = {int: "integers", float: "finite numbers", bool: "booleans", str: "strings", Path: "paths"}


class SettingsError(ValueError):
    """Error of a field that has another type than annotated, or is NaN or infinite."""


class _Mismatch(Exception):
    pass


def check_fields(settings: Any) -> None:
    """Check each field of a dataclass against its annotation, and convert equal types.

    int, float, bool, str, Path, Literal, Optional and other unions, tuples, sequences, mappings and nested
    classes are checked.  Numbers are finite.  True is no number, and 3.0 is no integer.  numpy's numbers
    become Python's, lists become tuples and strings become paths where the annotation says so.

    Raises:
        SettingsError: a field does not fit; the message names the field, the type and the value.

    Example:
        >>> from dataclasses import dataclass
        >>> @dataclass(frozen=True)
        ... class Settings:
        ...     sizes: tuple[int, ...] = (64,)
        ...     def __post_init__(self) -> None:
        ...         check_fields(self)
        >>> Settings([3, 4])
        Settings(sizes=(3, 4))
        >>> Settings((2.5,))
        Traceback (most recent call last):
        ...
        rlpriors.settings.SettingsError: `sizes` must be a tuple of integers. Received (2.5,).
    """
    cls: Any = type(settings)
    hints = _hints(cls)
    for field in fields(settings):
        value = getattr(settings, field.name)
        fitted = fit_value(field.name, value, hints[field.name])
        if fitted is not value:
            object.__setattr__(settings, field.name, fitted)


def fit_value(name: str, value: Any, hint: Any) -> Any:
    """Return `value` as the annotated type, converted as by `check_fields`.

    Raises:
        SettingsError: the value does not fit; the message names `name`, the type and the value.
    """
    try:
        return _fit(value, hint)
    except _Mismatch:
        expected = _describe(hint)
        if type(value) is int and abs(value) > LARGEST:
            expected += " of at most 64 bits"
        fix = f"; pass {[value]}" if isinstance(value, str) and _takes_strings(hint) else ""
        raise SettingsError(f"`{name}` must be {expected}. Received {_show(value)}{fix}.") from None


@cache
def _hints(cls: type) -> dict[str, Any]:
    return get_type_hints(cls)


def _fit(value: Any, hint: Any) -> Any:
    """Return `value` as the annotated type, or raise `_Mismatch`."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in _PLAIN:
        return _PLAIN[hint](value)
    if hint is None or hint is type(None):
        return _require(value, value is None)
    if origin is Literal:
        matches = [choice for choice in parts if type(choice) is type(value) and choice == value]
        return _require(value, bool(matches))
    if origin in (Union, types.UnionType):
        return _fit_union(value, parts)
    if origin is tuple:
        return _fit_tuple(value, parts)
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _require(value, isinstance(value, Mapping))
        for key, entry in value.items():
            _fit(key, parts[0])
            _fit(entry, parts[1])
        return value
    if isinstance(origin, type) and issubclass(origin, Sequence):
        _require(value, isinstance(value, Sequence) and not isinstance(value, str | bytes))
        for entry in value:
            _fit(entry, parts[0])
        return value
    if origin is Callable:
        return _require(value, callable(value))
    if _is_class(hint):
        return _require(value, isinstance(value, hint))
    return value


def _fit_union(value: Any, choices: tuple[Any, ...]) -> Any:
    exact = [choice for choice in choices if _is_class(choice) and type(value) is choice]
    for choice in (*exact, *choices):  # a string stays a string in `str | Path`
        try:
            return _fit(value, choice)
        except _Mismatch:
            pass
    raise _Mismatch


def _fit_tuple(value: Any, parts: tuple[Any, ...]) -> Any:
    _require(value, isinstance(value, tuple | list))
    if parts[1:] == (...,):
        parts = parts[:1] * len(value)
    _require(value, len(value) == len(parts))
    entries = [_fit(entry, part) for entry, part in zip(value, parts, strict=True)]
    same = isinstance(value, tuple) and all(map(operator.is_, entries, value))
    return value if same else tuple(entries)


def _fit_int(value: Any) -> int:
    if type(value) is not int:
        _require(value, isinstance(value, Integral) and not isinstance(value, bool))
        value = operator.index(value)
    _require(value, abs(value) <= LARGEST)
    return int(value)


def _fit_float(value: Any) -> float | int:
    if type(value) is not float and type(value) is not int:
        _require(value, isinstance(value, Real) and not isinstance(value, bool))
        value = float(value)
    number: float | int = value
    _require(value, abs(number) <= LARGEST if isinstance(number, int) else math.isfinite(number))
    return number


def _fit_bool(value: Any) -> bool:
    if type(value) is bool:
        return value
    _require(value, type(value).__name__ == "bool" and type(value).__module__ == "numpy")
    return bool(value)


def _fit_str(value: Any) -> str:
    return value if type(value) is str else str(_require(value, isinstance(value, str)))


def _fit_path(value: Any) -> Path:
    _require(value, isinstance(value, str | Path) and "\0" not in str(value))
    return value if isinstance(value, Path) else Path(value)


_PLAIN: dict[Any, Any] = {
    int: _fit_int,
    float: _fit_float,
    bool: _fit_bool,
    str: _fit_str,
    Path: _fit_path,
    Any: lambda value: value,
}


def _require(value: Any, condition: bool) -> Any:
    if not condition:
        raise _Mismatch
    return value


def _is_class(hint: Any) -> TypeGuard[type]:
    """Return True for classes that have instances of their own."""
    return isinstance(hint, type) and get_origin(hint) is None and type(hint).__module__ != "jaxtyping"


def _takes_strings(hint: Any) -> bool:
    """Return True for sequences and tuples of strings, also as a part of a union."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return any(map(_takes_strings, parts))
    return isinstance(origin, type) and issubclass(origin, Sequence) and parts[:1] == (str,)


def _describe(hint: Any, *, plural: bool = False) -> str:
    """Return an annotation in words."""
    origin, parts = get_origin(hint), get_args(hint)
    if hint in NAMES:
        return PLURALS[hint] if plural else NAMES[hint]
    if hint is None or hint is type(None):
        return "None"
    if origin is Literal:
        return f"one of {list(parts)}"
    if origin in (Union, types.UnionType):
        return " or ".join(_describe(part, plural=plural) for part in parts)
    if origin is tuple and parts[1:] == (...,):
        return f"{'tuples' if plural else 'a tuple'} of {_describe(parts[0], plural=True)}"
    if origin is tuple:
        kinds = {_describe(part, plural=True) for part in parts}
        of = kinds.pop() if len(kinds) == 1 else f"({', '.join(map(_describe, parts))})"
        return f"{'tuples' if plural else 'a tuple'} of {len(parts)} entries: {of}"
    if origin is Callable:
        return "functions" if plural else "a function"
    if isinstance(origin, type):
        return f"a {origin.__name__.lower()} of {' to '.join(_describe(part, plural=True) for part in parts)}"
    if isinstance(hint, type):
        return f"{'instances of' if plural else 'an instance of'} {hint.__name__}"
    return str(hint)


def _show(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}..."
