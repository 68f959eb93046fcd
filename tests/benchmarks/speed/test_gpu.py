"""The script for a machine with a GPU: parts, stamps, limits and exit codes."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
PARTS = [
    *("device", "cuda-tests", "bf16-representation", "bf16-prior", "bf16-reward", "bf16-policy"),
    *("planning", "encode"),
]

pytestmark = pytest.mark.skipif(shutil.which("timeout") is None, reason="the script needs `timeout`")


def run(out: Path, *arguments: str, **variables: str) -> tuple[int, dict[str, list[str]], str]:
    """Exit code, code and time of each part, and everything that was printed."""
    environment = {**os.environ, "OUT": str(out), "OMP_NUM_THREADS": "1", **variables}
    command = [str(ROOT / "benchmarks" / "gpu.sh"), *arguments]
    done = subprocess.run(command, cwd=out, env=environment, capture_output=True, text=True, check=False)
    summary = out / "summary.txt"
    rows = (
        [line.split(maxsplit=2) for line in summary.read_text().splitlines()[1:]] if summary.exists() else []
    )
    return done.returncode, {name: rest for name, *rest in rows}, done.stdout + done.stderr


def test_finished_parts_are_skipped_and_failures_do_not_stop_the_others(tmp_path: Path) -> None:
    code, parts, _ = run(tmp_path, "--quick", PYTHON="false")
    assert code == 1
    assert {name: row[0] for name, row in parts.items()} == dict.fromkeys(PARTS, "1")
    code, parts, _ = run(tmp_path, "--quick", "planning", PYTHON="true")
    assert code == 0
    assert {name: row[0] for name, row in parts.items()} == {"planning": "0"}
    code, parts, _ = run(tmp_path, "--quick", PYTHON="true")
    assert code == 0
    assert [parts[name][1] == "finished earlier" for name in PARTS] == [name == "planning" for name in PARTS]
    code, parts, text = run(tmp_path, "--quick", PYTHON="true")
    assert code == 0
    assert {row[1] for row in parts.values()} == {"finished earlier"}
    assert "==" not in text  # nothing ran
    code, parts, _ = run(tmp_path, "--quick", PYTHON="false")  # another command is another part
    assert code == 1
    assert {row[0] for row in parts.values()} == {"1"}


def test_no_part_starts_without_time(tmp_path: Path) -> None:
    code, parts, _ = run(tmp_path, "--quick", PYTHON="true", BUDGET_S="9")
    assert code == 1
    assert {tuple(row) for row in parts.values()} == {("-", "not started: no time left")}


@pytest.mark.parametrize(("argument", "message"), [("--fast", "Unknown option --fast"), ("plans", "No part")])
def test_unknown_arguments_are_refused(argument: str, message: str, tmp_path: Path) -> None:
    code, _, text = run(tmp_path, "--quick", argument, PYTHON="true")
    assert code == 2
    assert message in text


@pytest.mark.slow  # eight processes, each of which imports torch
@pytest.mark.timeout(1600)
def test_every_part_runs_with_tiny_sizes(tmp_path: Path) -> None:
    code, parts, text = run(tmp_path, "--quick", PYTHON=sys.executable)
    assert code == 0, text
    assert {name: row[0] for name, row in parts.items()} == dict.fromkeys(PARTS, "0")
    for name in ("encode", "planning", "bf16-prior"):
        assert (tmp_path / f"{name}.csv").read_text().count("\n") >= 3, name
