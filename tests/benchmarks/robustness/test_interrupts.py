"""Interrupt benchmark: its table, its recorded trials, and a trial of one command."""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.robustness.interrupts import NAMES, RESULTS, report
from benchmarks.robustness.small_runs import RUNS
from benchmarks.tables import read_csv

ROOT = Path(__file__).parents[3]


def test_the_report_counts_interrupts_and_faults() -> None:
    rows = [
        ["demo", "0", "3.10", "equal"],
        ["demo", "1", "2.00", "leaves 2 processes"],
        ["pretrain", "0", "9.90", "ended before"],
    ]
    assert report(rows).splitlines()[2:] == [
        "| demo | 2 | 1 |",
        "| pretrain | 0 | 0 |",
        "| all | 2 | 1 |",
    ]


def test_the_recorded_trials_have_no_fault() -> None:
    rows = read_csv(RESULTS)
    assert {row[0] for row in rows} == set(NAMES) <= set(RUNS)
    assert sum(row[3] == "equal" for row in rows) >= 20
    assert {row[3] for row in rows} <= {"equal", "ended before"}


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_an_interrupted_run_is_resumed_and_equal(tmp_path: Path) -> None:
    results = tmp_path / "interrupts.csv"
    words = f"--interrupts 1 --runs pretrain --folder {tmp_path}/runs --results {results}"
    command = [sys.executable, "-m", "benchmarks.robustness.interrupts", *words.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=380)
    assert done.returncode == 0, done.stderr
    outcomes = [row[3] for row in read_csv(results)]
    assert outcomes.count("equal") == 1
    assert set(outcomes) <= {"equal", "ended before"}
