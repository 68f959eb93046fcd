"""Fuzz benchmark: classification of calls, hostile values, damaged files, and a small campaign."""

import math
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.robustness.fuzz import fuzz_function, report
from benchmarks.robustness.fuzz_evaluation import evaluation_targets
from benchmarks.robustness.fuzz_files import spoil
from benchmarks.robustness.fuzz_inputs import Target
from benchmarks.robustness.fuzz_outcome import run_call
from benchmarks.robustness.fuzz_values import hostile_value

ROOT = Path(__file__).parents[3]


def raising(error: Exception) -> Any:
    raise error


@pytest.mark.parametrize(
    ("function", "refused", "kind"),
    [
        (lambda: 1.0, False, "accepted"),
        (lambda: 1.0, True, "wrong value accepted"),
        (lambda: {"x": [math.nan]}, False, "wrong result"),
        (lambda: np.zeros((0, 3)), False, "wrong result"),
        (lambda: raising(ValueError("`size` must be at least 1.")), True, "refused"),
        (lambda: raising(ValueError("`sizes` must be at least 1.")), True, "unnamed refusal"),
        (lambda: raising(KeyError("size")), True, "raw error"),
        (lambda: raising(ZeroDivisionError()), False, "raw error"),
    ],
)
def test_outcomes(function: Any, refused: bool, kind: str) -> None:
    assert run_call(function, ["size"], refused).kind == kind


HANGING = """
from benchmarks.robustness import fuzz_outcome

def hang():
    while True:
        pass

fuzz_outcome.SECONDS = 0.05
print(fuzz_outcome.run_call(hang, [], False).kind)
"""


def test_a_call_that_hangs_is_ended() -> None:
    """In a process of its own: the timer of a processor's time does not mix with threads of other tests."""
    program = [sys.executable, "-c", HANGING]
    ended = subprocess.run(program, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert ended.stdout == "hangs\n", ended.stderr


@pytest.mark.parametrize("valid", [True, 3, 0.5, "cls", Path("a"), np.ones((3, 2)), (1, 2), {"a": 1}, len])
def test_each_kind_has_values_that_no_function_may_accept(valid: Any) -> None:
    rng = np.random.default_rng(0)
    values = [hostile_value(valid, rng, False) for _ in range(150)]
    assert {hostile.refused for hostile in values} == {True, False}
    assert len({hostile.name for hostile in values}) > 4


def test_a_function_without_checks_is_found_and_one_with_checks_is_not() -> None:
    def unchecked(size: int) -> float:
        return 1 / size

    def checked(size: int) -> float:
        if type(size) is not int or size < 1:
            raise ValueError(f"`size` must be at least 1. Received {size}.")
        return 1 / size if size < 10**300 else raising(ValueError("`size` is too large"))

    def kinds(function: Any) -> set[str]:
        target, rng = Target("evaluation", function, lambda: {"size": 2}), np.random.default_rng(0)
        return {fuzz_function(target, rng)[2] for _ in range(100)}

    assert kinds(unchecked) >= {"raw error", "unnamed refusal", "wrong value accepted"}
    assert kinds(checked) <= {"refused", "accepted"}


def test_valid_arguments_of_evaluation_functions_are_accepted() -> None:
    for target in evaluation_targets():
        arguments = target.arguments()
        outcome = run_call(lambda: target.use(target.function(**arguments)), arguments, False)  # noqa: B023
        assert outcome.kind == "accepted", (target.name, outcome)


def test_copies_are_spoiled_and_originals_stay(tmp_path: Path) -> None:
    original = tmp_path / "original.bin"
    original.write_bytes(bytes(range(100)))
    rng = np.random.default_rng(0)
    changes = set()
    for i in range(30):
        copy = tmp_path / f"copy{i}.bin"
        changes.add(spoil(original, copy, rng))
        assert not copy.exists() or copy.read_bytes() != original.read_bytes()
    assert changes == {
        f".bin: {change}" for change in ("truncated", "flipped bit", "removed", "empty", "foreign content")
    }
    assert original.read_bytes() == bytes(range(100))


def test_the_report_counts_by_kind() -> None:
    counts = Counter(
        {("loader", "a", "refused"): 3, ("loader", "b", "hangs"): 1, ("settings", "c", "refused"): 2}
    )
    assert report(counts).splitlines()[2:] == [
        "| loader | 0 | 3 | 0 | 0 | 0 | 0 | 1 |",
        "| settings | 0 | 2 | 0 | 0 | 0 | 0 | 0 |",
        "| all | 0 | 5 | 0 | 0 | 0 | 0 | 1 |",
    ]


@pytest.mark.slow
def test_a_small_campaign(tmp_path: Path) -> None:
    words = f"--calls 20 --kinds evaluation settings --results {tmp_path}/fuzz.csv"
    command = [sys.executable, "-m", "benchmarks.robustness.fuzz", *words.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    lines = (tmp_path / "fuzz.csv").read_text().splitlines()
    assert lines[0] == "kind,target,outcome,calls"
    assert sum(int(line.rpartition(",")[2]) for line in lines[1:]) == 20
