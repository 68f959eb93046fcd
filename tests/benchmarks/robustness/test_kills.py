"""Kill benchmark: comparison of folders, small runs, and a trial of one command."""

import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.robustness.kills import report
from benchmarks.robustness.run_files import differences, read_run
from benchmarks.robustness.small_runs import RUNS
from benchmarks.tables import read_csv

from rlpriors.scripts.main import COMMANDS
from rlpriors.scripts.run_args import RunArgs

ROOT = Path(__file__).parents[3]


def test_all_commands_that_resume_have_a_small_run() -> None:
    resuming = {
        name for name, command in COMMANDS.items() if issubclass(command.run_args or object, RunArgs)
    } | {"encode"}
    assert {name.split()[0] for name in RUNS} == resuming
    assert all(arguments.split()[0] == name.split()[0] for name, arguments in RUNS.items())


def test_runs_differ_by_content_and_not_by_times(tmp_path: Path) -> None:
    for name, seconds, value in (("a", 1, 2.0), ("b", 9, 2.0), ("c", 1, 3.0)):
        (tmp_path / name / "tensorboard").mkdir(parents=True)
        (tmp_path / name / "tensorboard" / "events").write_text(name)
        (tmp_path / name / "policy.resume.pt").write_text(name)
        (tmp_path / name / "results.json").write_text(f'{{"seconds": {seconds}, "runs": [{{"x": {value}}}]}}')
        (tmp_path / name / "weights").write_bytes(b"1")
    a, b, c = (read_run(tmp_path / name) for name in "abc")
    assert set(a) == {"results.json", "weights"}
    assert differences(a, b) == []
    assert differences(a, c) == ["results.json"]
    (tmp_path / "b" / ".weights.1.tmp").write_bytes(b"")
    assert differences(a, read_run(tmp_path / "b")) == [".weights.1.tmp"]


def test_the_report_counts_kills_and_faults() -> None:
    rows = [["encode", "0", "3", "equal"], ["encode", "1", "2", "differs: x"], ["demo", "0", "4", "equal"]]
    assert report(rows).splitlines()[2:] == [
        "| demo | 1 | 4 | 0 |",
        "| encode | 2 | 5 | 1 |",
        "| all | 3 | 9 | 1 |",
    ]


@pytest.mark.slow
def test_a_killed_run_is_resumed_and_equal(tmp_path: Path) -> None:
    results = tmp_path / "kills.csv"
    words = f"--kills 1 --runs encode --folder {tmp_path}/runs --results {results}"
    command = [sys.executable, "-m", "benchmarks.robustness.kills", *words.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=110)
    assert done.returncode == 0, done.stderr
    rows = read_csv(results)
    assert sum(int(row[2]) for row in rows) >= 1
    assert {(row[0], row[3]) for row in rows} == {("encode", "equal")}
