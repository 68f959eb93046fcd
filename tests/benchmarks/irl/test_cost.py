"""The command of the cost benchmark: a quick run measures all parts, and writes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.irl.cost import RESULTS, cases
from benchmarks.irl.cost_tables import read_rows

ROOT = Path(__file__).parents[3]


def test_the_csv_has_a_row_for_each_case() -> None:
    assert [case for case, _ in read_rows(RESULTS)] == cases()


@pytest.mark.slow  # five processes, each of which imports torch
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from Linux's /proc")
def test_quick_measures_and_writes_nothing() -> None:
    before = RESULTS.stat().st_mtime_ns
    command = [sys.executable, "-m", "benchmarks.irl.cost", "--quick"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    _, costs, ratios = done.stdout.strip().split("\n\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in costs.splitlines()[2:]]
    methods = [row[1] for row in rows]
    assert methods == ["contrastive", "sampler backprop, full", "relative", "original recipe umaze"]
    assert all(float(row[4]) > 0 and float(row[7]) > 0 for row in rows)  # an update, a plan
    steps_per_plan = dict(zip(methods, (row[8] for row in rows), strict=True))
    assert (steps_per_plan["contrastive"], steps_per_plan["original recipe umaze"]) == ("16", "1")
    assert len(ratios.splitlines()) == 3
    assert RESULTS.stat().st_mtime_ns == before
