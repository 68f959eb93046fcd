"""`benchmarks/irl/cost.py --quick`: rows are measured, and nothing is written."""

import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[3] / "benchmarks"
RESULTS = BENCHMARKS / "results" / "irl_cost.csv"


@pytest.mark.slow  # five processes, each of which imports torch
@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is asked of Linux's /proc")
def test_quick_measures_and_writes_nothing():
    before = RESULTS.stat().st_mtime_ns if RESULTS.exists() else None
    command = [sys.executable, str(BENCHMARKS / "irl_cost.py"), "--quick"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    _, costs, ratios = done.stdout.strip().split("\n\n")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in costs.splitlines()[2:]]
    methods = [row[1] for row in rows]
    assert methods == ["contrastive", "chain, full", "relative", "original_recipe umaze"]
    assert all(float(row[4]) > 0 and float(row[7]) > 0 for row in rows)  # an update, a plan
    follow = dict(zip(methods, (row[8] for row in rows), strict=True))
    assert (follow["contrastive"], follow["original_recipe umaze"]) == ("16", "1")
    assert len(ratios.splitlines()) == 3
    assert (RESULTS.stat().st_mtime_ns if RESULTS.exists() else None) == before
