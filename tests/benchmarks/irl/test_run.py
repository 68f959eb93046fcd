"""The command of the benchmark of reward learning: a small run, its help and its refusals."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.irl import run as benchmark
from benchmarks.irl.cells import FIXED_ACTIONS, Cell, all_cells
from benchmarks.irl.environments.registry import ENVIRONMENTS
from benchmarks.irl.scores import normalized_policies
from benchmarks.tables import write_csv

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
        f"gridworld seed 100 main {method}-20" for method in ("contrastive", "bc")
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


def cell(part: str, method: str, **changes: object) -> Cell:
    """Return a cell of the small maze."""
    return replace(Cell("umaze", 1, part, method, 20), **changes)


def test_cells_of_all_parts_become_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmark, "RESULTS", tmp_path / "irl.csv")
    runs = tmp_path / "runs"
    done = {
        cell("main", "density-ratio+contrastive"): {"success": 0.5},
        cell("policy", "density-ratio+contrastive"): {"policy_success": 0.5},
        cell("policy-changed", "density-ratio+contrastive"): {"policy_success_heavy": 0.5},
        cell("main", "bc", seed=100): {"success": 1.0},  # a development seed
        cell("main", "gail", trial=2): {"success": 1.0},  # a trial of a search
    }
    for one, metrics in done.items():
        one.file(runs).parent.mkdir(parents=True, exist_ok=True)
        one.file(runs).write_text(json.dumps(metrics))
    benchmark.collect_results(runs, tmp_path / "irl.csv")
    assert (tmp_path / "irl.csv").read_text().splitlines() == [
        "world,method,seed,demos,metric,value",
        *(
            f"umaze,density-ratio+contrastive,1,20,{metric},0.5"
            for metric in ("policy_success", "policy_success_heavy", "success")
        ),
    ]
    rows = [["umaze", "contrastive", "1", "20", "progress_pearson", "0.9"]]
    write_csv(tmp_path / "irl.csv", benchmark.COLUMNS, rows)
    monkeypatch.setattr(benchmark, "RUNS", runs)
    new = [cell("main", "contrastive"), cell("policy", "contrastive"), *done]
    assert benchmark.unfinished(new, runs) == [cell("policy", "contrastive")]


def test_policies_lie_between_fixed_actions_and_the_true_reward() -> None:
    rows = {
        ("reacher", FIXED_ACTIONS, "0", "20", "return_zero-action"): "-11",
        ("reacher", FIXED_ACTIONS, "0", "20", "return_random-action"): "-43",
        ("reacher", "oracle", "0", "20", "policy_return"): "-4",
        ("reacher", "oracle", "1", "20", "policy_return"): "-6",
        ("reacher", "gail", "0", "20", "policy_return"): "-8",
        ("hopper", "gail", "0", "8", "policy_return"): "1",  # neither end is known
    }
    normalized = normalized_policies(rows, FIXED_ACTIONS)
    assert {key[1:3]: round(value, 3) for key, value in normalized.items()} == {
        ("oracle", "0"): 1.167,
        ("oracle", "1"): 0.833,
        ("gail", "0"): 0.5,
    }


def test_statistics_share_a_process_and_come_first() -> None:
    cells = all_cells(["gridworld"], [0, 1], ("policy", "main"), ("gail", "mean-difference", "max-ent", "bc"))
    groups = benchmark.batches(cells)
    assert [[one.method for one in group] for group in groups[:2]] == [["mean-difference", "max-ent"]] * 2
    assert [group[0].seed for group in groups[:2]] == [0, 1]
    assert all(len(group) == 1 for group in groups[2:])
    parts = [one.part for one in cells]
    assert parts == sorted(parts)  # main before policy
    assert [one.method for one in cells if one.part == "main"][-2:] == ["gail"] * 2


def test_cells_that_fail_are_reported_and_do_not_stop_the_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    good = Cell("gridworld", 100, "main", "mean-difference", 20)
    bad = replace(good, method="no such method")
    results = benchmark._run_batch([bad, good], tmp_path, True)
    assert results[0].startswith("failed, KeyError")
    assert results[1].endswith(" s")
    assert good.file(tmp_path).exists()


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
