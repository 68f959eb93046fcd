"""Check of a function's arguments by their annotations."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from jaxtyping import Float, UInt8

from rlpriors.arguments import check_arguments
from rlpriors.data import Normalizer
from rlpriors.types import RewardFn, Transition

FREE = object()


@check_arguments
def received(
    x: Float[np.ndarray, "rows columns"] = FREE,
    t: Float[torch.Tensor, "rows *rest"] = FREE,
    n: int = FREE,
    scale: float | None = FREE,
    name: Literal["a", "b"] = FREE,
    reward: RewardFn | None = FREE,
    call: Callable[[int], int] = FREE,
    size: tuple[int, int] = FREE,
    weights: Sequence[float] = FREE,
    normalizer: Normalizer = FREE,
    transitions: Transition = FREE,
    rows: Sequence[int] | Float[np.ndarray, " n"] | None = FREE,
    pixels: UInt8[np.ndarray, " n"] = FREE,
    codes: UInt8[torch.Tensor, " n"] = FREE,
    anything: Any = FREE,
    unannotated=FREE,
) -> dict[str, Any]:
    return {key: value for key, value in locals().items() if value is not FREE}


TRANSITIONS = Transition(torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(2, 1), torch.zeros(2).bool())


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    "arguments",
    [
        {"x": np.ones((2, 3)), "t": torch.ones(2)},
        {"t": torch.ones(2, 3, 4), "n": 3, "scale": None},
        {"scale": 2, "name": "b", "reward": None},
        {"reward": lambda *parts: parts[0], "call": abs, "size": (3, 4)},
        {"reward": None, "weights": (1.0, 2), "normalizer": Normalizer.identity(2)},
        {"transitions": TRANSITIONS, "rows": [1, 2]},
        {"transitions": tuple(TRANSITIONS), "rows": None},
        {"rows": np.arange(3), "anything": math.nan, "unannotated": "x"},
    ],
)
def test_fitting_arguments_are_passed_unchanged(arguments: dict[str, Any]) -> None:
    found = received(**arguments)
    assert found.keys() == arguments.keys()
    assert all(found[name] is value for name, value in arguments.items())


@pytest.mark.usefixtures("without_type_checks")
def test_equal_types_are_converted() -> None:
    found = received(x=[[1, 2]], n=np.int64(3), scale=np.float32(0.5), size=[1, 2], weights=np.ones(2))
    assert found["x"].tolist() == [[1, 2]]
    assert (type(found["n"]), type(found["scale"]), found["size"]) == (int, float, (1, 2))
    assert found["weights"].tolist() == [1, 1]
    assert received(x=torch.ones(1, 2))["x"].shape == (1, 2)
    assert received(pixels=[0, 255])["pixels"].dtype == np.uint8
    assert received(codes=torch.tensor([0, 255]))["codes"].dtype == torch.uint8
    assert received(call=int)["call"] is int  # a class is a function of its arguments


@pytest.mark.usefixtures("without_type_checks")
@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("x", "text", "array of numbers"),
        ("x", [[1.0], [1.0, 2.0]], "array of numbers"),
        ("x", np.ones(3), r"2 dimensions, \[rows columns\]. Received shape \(3,\)"),
        ("t", np.ones(3), "must be a tensor"),
        ("t", torch.tensor(1.0), "at least 1 dimension"),
        ("n", True, "an integer"),
        ("n", 1.5, "an integer"),
        ("scale", math.nan, "a finite number or None"),
        ("name", "c", r"one of \['a', 'b'\]"),
        ("reward", 3, "a function or None"),
        ("reward", dict, "a function or None. Received <class 'dict'>"),
        ("rows", [0, True], "booleans among its numbers"),
        ("x", [[1.0, True]], "booleans among its numbers"),
        ("x", torch.ones(1, 2, dtype=torch.bfloat16), "torch.bfloat16; convert it to float32"),
        ("pixels", [0, 256], r"integers in 0\.\.255. Received 0\.\.256"),
        ("pixels", np.array([-1]), r"integers in 0\.\.255. Received -1\.\.-1"),
        ("pixels", np.array([0.5]), "integers. Received float64"),
        ("codes", torch.tensor([300]), r"integers in 0\.\.255. Received 300\.\.300"),
        ("call", None, "a function"),
        ("size", (1, 2, 3), "2 entries"),
        ("weights", "ab", "sequence of finite numbers"),
        ("normalizer", torch.ones(2), "an instance of Normalizer"),
        ("transitions", TRANSITIONS[:3], "Transition"),
        ("rows", "ab", "`rows`"),
    ],
)
def test_other_arguments_are_refused_by_name(name: str, value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message) as raised:
        received(**{name: value})
    assert f"`{name}` must " in str(raised.value)


def test_skipped_arguments_are_not_checked() -> None:
    def echo(n: int) -> Any:
        return n

    assert check_arguments(echo, skip=["n"])("x") == "x"
    with pytest.raises(ValueError, match="`n` must be an integer"):
        check_arguments(echo)("x")


def test_a_name_in_a_union_with_functions_is_accepted() -> None:
    @check_arguments
    def load(source: str | Path | RewardFn) -> object:
        return source

    assert load("folder") == "folder"
    assert load(Path("folder")) == Path("folder")
    assert load(print) is print
    with pytest.raises(ValueError, match=r"`source` must be .*Received 3"):
        load(3)
