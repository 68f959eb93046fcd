"""The command of the imitation benchmark: refusals, folders, and a small run."""

import sys
from pathlib import Path

import pytest
from benchmarks.imitation import run as benchmark
from benchmarks.imitation.cells import QUICK


def test_development_seeds_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "argv", ["run", "--seeds", "0", "100", "--runs", str(tmp_path)])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "add --development" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_quick_cells_have_a_folder_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Path, bool]] = []
    monkeypatch.setattr(
        benchmark, "run_seed", lambda *job: calls.append((job[3], job[4] == QUICK, job[5] is not None))
    )
    monkeypatch.setattr(benchmark, "collect_results", lambda runs, results: calls.append((runs, results)))
    for words in (["--quick"], [], ["--quick", "--runs", "mine"]):
        monkeypatch.setattr(sys, "argv", ["run", "--seeds", "0", *words])
        benchmark.main()
    quick, real = Path("runs/imitation-quick"), Path("runs/imitation")
    assert calls == [
        (quick, True, False),
        (real, False, True),
        (real, benchmark.RESULTS),
        (Path("mine"), True, False),
    ]


@pytest.mark.slow
def test_a_quick_run_leaves_each_cell_and_runs_none_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    words = ["run", "--quick", "--development", "--seeds", "100", "--envs", "Reacher-v5", "--methods"]
    monkeypatch.setattr(sys, "argv", [*words, "--runs", str(tmp_path / "runs")])
    benchmark.main()
    assert capsys.readouterr().out.count("Reacher-v5 seed 100") == 2
    folder = tmp_path / "runs" / "Reacher-v5" / "seed100"
    assert {path.name for path in folder.iterdir()} == {
        "demos", "random", "scratch-none-augmented", "scratch-none-plain"
    }  # fmt: skip
    benchmark.main()
    assert capsys.readouterr().out == ""
