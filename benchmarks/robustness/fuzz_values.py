"""Hostile values by kind of parameter.

`Hostile`       a value, its description, and True if no function may accept it
`hostile_value` random hostile value in place of a valid one
"""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch

__all__ = ["Hostile", "hostile_value"]


class Hostile(NamedTuple):
    """A hostile value."""

    name: str
    """Description of the value."""
    value: Any
    """The value."""
    refused: bool
    """True if a function that accepts the value is wrong; otherwise its result decides."""


NAN, INF, HUGE = math.nan, math.inf, 10**400
WRONG: dict[str, Any] = {"object": object(), "dict": {1: 2}, "bytes": b"x", "list of None": [None]}
INTEGERS = {"nan": NAN, "inf": INF, "text": "3", "fraction": 1.5, "huge": HUGE, "bool": True, **WRONG}
FLOATS = {"nan": NAN, "-inf": -INF, "text": "0.5", "complex": 1j, "huge": HUGE, "bool": True, **WRONG}
LENIENT_INTEGERS = {
    **{"negative": -1, "zero": 0, "large": 2**62, "numpy": np.int64(2), "negative numpy": np.int32(-7)},
    **{"numpy float": np.float64(2.0), "None": None, "0-d": np.array(2)},
}
LENIENT_FLOATS = {
    **{"inf": INF, "negative": -1.0, "zero": 0.0, "large": 1e308, "tiny": 5e-324, "integer": 2},
    **{"numpy": np.float32(0.5), "None": None, "0-d": np.array(0.5)},
}
TEXTS = {"empty": "", "unknown": "no such name", "null byte": "a\0b", "long": "a" * 300, "up": "../x"}
PATHS = {"missing": "/no/such/folder", "null byte": "a\0b", "empty": "", "long": "a" * 300, "file": __file__}


def hostile_value(valid: Any, rng: np.random.Generator, optional: bool) -> Hostile:
    """Return a random hostile value in place of `valid`, whose type determines the kind of parameter.

    Args:
        valid: a valid value.
        rng: random generator.
        optional: True if None is a valid value, too.
    """
    if isinstance(valid, bool):
        values = _refused({"text": "yes", "number": 2, "nan": NAN, **WRONG}) + _open(
            {"numpy": np.bool_(True)}
        )
    elif isinstance(valid, int):
        values = _refused(INTEGERS) + _open(LENIENT_INTEGERS)
    elif isinstance(valid, float):
        values = _refused(FLOATS) + _open(LENIENT_FLOATS)
    elif isinstance(valid, Path):
        values = _refused({"number": 3, "nan": NAN, **WRONG}) + _open(PATHS)
    elif isinstance(valid, str):
        values = _refused({"number": 3, "nan": NAN, "bool": True, **WRONG}) + _open(TEXTS)
    elif isinstance(valid, np.ndarray | torch.Tensor):
        values = _arrays(valid, rng)
    elif isinstance(valid, tuple | list):
        values = _sequences(valid, rng)
    elif isinstance(valid, Mapping):
        values = _refused({"number": 3, "text": "x", **{k: v for k, v in WRONG.items() if k != "dict"}})
        values += _open({"empty": {}, "wrong": {1: 2}, **_mappings(valid, rng)})
    elif callable(valid) and not isinstance(valid, torch.nn.Module | type):
        values = _refused({"number": 3, "text": "x", **WRONG}) + _open(_functions(valid))
    elif valid is None:  # of an optional argument, whose other type is not known here
        values = _refused({"nan": NAN, **WRONG}) + _open({"number": 3, "negative": -1.5, "text": "x"})
    else:
        values = _refused({"number": 3, "nan": NAN, "text": "x", "class": dict, **WRONG})
    values = [*values, Hostile("None", None, not optional)]
    return values[rng.integers(len(values))]


def _refused(values: Mapping[str, Any]) -> list[Hostile]:
    return [Hostile(name, value, True) for name, value in values.items()]


def _open(values: Mapping[str, Any]) -> list[Hostile]:
    return [Hostile(name, value, False) for name, value in values.items()]


def _arrays(valid: Any, rng: np.random.Generator) -> list[Hostile]:
    """Arrays of other shapes, types and contents; a tensor stays one where only the content changes."""
    tensor = isinstance(valid, torch.Tensor)
    array = valid.numpy() if tensor else valid
    convert: Callable[[Any], Any] = torch.from_numpy if tensor else np.asarray
    refused: dict[str, Any] = {"text": "x", "nan": NAN, "ragged": [[1.0], [1.0, 2.0]], **WRONG}
    refused |= {"texts": np.full(array.shape, "a"), "objects": np.full(array.shape, None)}
    changed = {
        "no rows": array[:0],
        "one row": array[:1],
        "row missing": array[:-1],
        "row axis more": array[None],
        "axis more": array[..., None],
        "no axis": array.ravel()[0] if array.size else array,
        "flat": array.ravel(),
        "zeros": np.zeros_like(array),
        "transposed": np.ascontiguousarray(array.T),
        "not contiguous": np.repeat(array, 2, 0)[::2],
    }
    if array.dtype.kind == "f" and array.size:
        for name, number in {"nan": NAN, "inf": INF, "-inf": -INF}.items():
            spoiled = array.copy()
            spoiled.ravel()[rng.integers(spoiled.size)] = number
            refused[f"{name} inside"] = convert(spoiled)
        changed |= {
            "large": array * np.float64(1e300),
            "tiny": array * 1e-300,
            "half": array.astype(np.float16),
        }
        changed |= {"negative": -np.abs(array), "integers": (10 * array).astype(np.int64)}
        refused["complex"] = array * 1j
    elif array.dtype.kind in "iu" and array.size:
        changed |= {"large": array.astype(np.int64) + 10**6, "negative": -1 - array.astype(np.int64)}
        changed |= {"floats": array.astype(np.float64), "small type": array.astype(np.int8)}
        refused["fractions"] = array + 0.5
    changed["list"] = array.tolist()
    lenient = {
        name: convert(value) if isinstance(value, np.ndarray) else value for name, value in changed.items()
    }
    lenient["other library"] = array if tensor else torch.from_numpy(np.array(array))
    return _refused(refused) + _open(lenient)


def _sequences(valid: Any, rng: np.random.Generator) -> list[Hostile]:
    kind = _make_sequence(type(valid))
    values = {"empty": kind(), "longer": kind([*valid, *valid[:1]]), "shorter": kind(valid[:-1])}
    values |= {"set": set() if not valid else "x", "generator": iter(valid), "nested": kind([valid])}
    if not valid:
        return _open(values)
    entries = list(valid)
    place = int(rng.integers(len(entries)))
    entry = hostile_value(entries[place], rng, False)
    entries[place] = entry.value
    inner = [Hostile(f"entry {entry.name}", kind(entries), entry.refused)]
    return 3 * inner + _open(values) + _refused({"number": 3, "nan": NAN, "object": object()})


def _make_sequence(kind: type) -> Callable[..., Any]:
    """Return a function that makes a sequence of a type; a NamedTuple of wrong length becomes a tuple."""
    names = getattr(kind, "_fields", None)
    if names is None:
        return kind

    def make(entries: Any = ()) -> Any:
        entries = list(entries)
        return kind(*entries) if len(entries) == len(names) else tuple(entries)

    return make


def _mappings(valid: Mapping[Any, Any], rng: np.random.Generator) -> dict[str, Any]:
    if not valid:
        return {}
    key = list(valid)[rng.integers(len(valid))]
    entry = hostile_value(valid[key], rng, False)
    missing = {name: value for name, value in valid.items() if name != key}
    return {"key missing": missing, f"entry {entry.name}": {**valid, key: entry.value}}


def _functions(valid: Callable[..., Any]) -> dict[str, Callable[..., Any]]:
    """Functions that return no numbers, NaN, or numbers of another shape."""

    def spoiled(change: Callable[[Any], Any]) -> Callable[..., Any]:
        return lambda *args, **options: change(valid(*args, **options))

    return {
        "returns None": spoiled(lambda result: None),
        "returns text": spoiled(lambda result: "x"),
        "returns nan": spoiled(lambda result: result * NAN),
        "returns a column": spoiled(lambda result: result[..., None]),
        "returns too few": spoiled(lambda result: result[:-1]),
        "returns a number": spoiled(lambda result: 1.0),
    }
