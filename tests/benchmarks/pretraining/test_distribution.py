"""The command of the benchmark of pretraining distributions: refusals, and a small run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.pretraining import distribution as benchmark

ROOT = Path(__file__).parents[3]


def test_rows_with_other_settings_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)  # the same file by another path
    path = "benchmarks/results/pretraining_distribution.csv"
    for words, message in (
        (
            ["--foreign-fraction", "0.5", "--encoder", "vit-micro"],
            "another encoder, foreign_fraction are",
        ),
        (["--foreign-fraction", "0.5", "--results", path], "another foreign_fraction are not comparable"),
        (["--targets", "tetris", "--runs", "nowhere"], "`target` one of"),
        (["--report", "--results", "nowhere.csv"], "no results at nowhere.csv"),
    ):
        monkeypatch.setattr(sys, "argv", ["x", *words])
        with pytest.raises(SystemExit):
            benchmark.main()
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_quick_run_ends_and_writes_no_csv(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks.pretraining.distribution", "--quick", "--seeds", "0"]
    command += ["--targets", "pong", "--runs", str(tmp_path / "study")]
    command += ["--results", str(tmp_path / "some.csv")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, env=env, cwd=ROOT, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "some.csv").exists()
    assert (tmp_path / "study-quick" / "pong-seed0" / "study.csv").exists()
