"""The command of the benchmark of reward learning: a small run, its help and its refusals."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from benchmarks.irl import run as benchmark
from benchmarks.irl.environments.registry import ENVIRONMENTS

ROOT = Path(__file__).parents[3]


def run_quick(runs: Path) -> list[str]:
    """Run two methods in the grid world and return the printed lines."""
    command = [sys.executable, "-m", "benchmarks.irl.run", "--quick", "--development", "--seeds", "100"]
    command += ["--environments", "gridworld", "--parts", "main", "--methods", "contrastive", "bc"]
    env = {**os.environ, "OMP_NUM_THREADS": "1", "NUMBA_DISABLE_JIT": "1"}
    done = subprocess.run(
        [*command, "--runs", str(runs)], env=env, cwd=ROOT, capture_output=True, text=True, timeout=110
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def results() -> dict[str, bytes]:
    """Return all files of `benchmarks/results`."""
    folder = ROOT / "benchmarks" / "results"
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_a_quick_run_leaves_a_file_for_each_cell_and_runs_none_twice(tmp_path: Path) -> None:
    before = results()
    printed = run_quick(tmp_path / "runs")
    assert [line.split(":")[0] for line in printed] == [
        f"gridworld seed 100 {method}-20" for method in ("prior", "contrastive", "bc")
    ]
    cells = tmp_path / "runs" / "gridworld" / "seed100"
    irl, cloning = (json.loads((cells / f"{name}-20.json").read_text()) for name in ("contrastive", "bc"))
    assert {"success", "return", "seconds", "evaluation_seconds"} <= set(irl) & set(cloning)
    assert {"spearman", "epic", "erc_pearson_mixed"} <= set(irl) - set(cloning)  # cloning has no reward
    assert np.isfinite([*irl.values(), *cloning.values()]).all()
    assert (cells / "rewards" / "contrastive-20" / "config.json").exists()

    times = {path: path.stat().st_mtime_ns for path in cells.rglob("*")}
    assert run_quick(tmp_path / "runs") == []
    assert {path: path.stat().st_mtime_ns for path in cells.rglob("*")} == times
    assert results() == before  # quick runs write no results


def test_cells_of_all_parts_become_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path / "irl.csv")
    folder = tmp_path / "runs" / "umaze" / "seed1"
    folder.mkdir(parents=True)
    for part, metric in (("main", "success"), ("rl", "rl_success_same"), ("rl-changed", "rl_success_heavy")):
        file = benchmark.cell_file(folder, part, "density-ratio+contrastive", 20)
        file.write_text(json.dumps({metric: 0.5}))
    development = tmp_path / "runs" / "umaze" / "seed100"
    development.mkdir()
    (development / "bc-20.json").write_text(json.dumps({"success": 1.0}))
    benchmark.collect_results(tmp_path / "runs", tmp_path / "irl.csv")
    assert (tmp_path / "irl.csv").read_text().splitlines() == [
        ",".join(benchmark.COLUMNS),
        *(
            f"umaze,density-ratio+contrastive,1,20,{metric},0.5"
            for metric in ("rl_success_heavy", "rl_success_same", "success")
        ),
    ]


def test_help_lists_every_environment(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--help"])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit):
        benchmark.main()
    assert ", ".join(ENVIRONMENTS) in capsys.readouterr().out


def test_development_seeds_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--seeds", "3", "100", "--runs", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "add --development" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())
