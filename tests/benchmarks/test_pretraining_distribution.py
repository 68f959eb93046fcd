"""The benchmark of the pretraining distribution: its tables, and a small run from the command line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rlpriors.scripts.study.report import Row

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def rows() -> list[Row]:
    found = []
    for seed in (0, 1):
        for apart, split in enumerate(("target", "near", "far", "mix")):
            numbers = (float(apart), 1.0, 0.5)
            found.append(Row("pong", split, 8, "frozen", seed, *numbers, 0.8 - apart / 10))
        found.append(Row("pong", "none", 8, "frozen", seed, None, None, None, 0.3))
    return found


def test_tables_say_what_rows_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import pretraining_distribution as benchmark

    page = tmp_path / "page.md"
    names = ("in words", "distances", "mIoU", "rank correlation", "to none", "to mix")
    page.write_text("".join(f"<!-- pong, {name} -->\n<!-- end of pong, {name} -->\n" for name in names))
    monkeypatch.setattr(benchmark, "PAGE", page)
    monkeypatch.setattr(benchmark, "DOCS", tmp_path)
    benchmark.report(rows())
    text = page.read_text()
    assert "| target | 0.800 [0.800, 0.800] |" in text
    # Of the 24 orders of four splits, one correlates as strongly, and one the other way round.
    assert "| frechet | -1.00 [-1.00, -1.00], p 0.08 |" in text
    assert "is better: frozen with 8 labels; worse: nowhere; neither: nowhere." in text
    assert "| far | 2.000 [2.000, 2.000] | 1.000 [1.000, 1.000] | 0.500 [0.500, 0.500] |" in text
    assert "| none | 2" not in text
    assert "| auc |  |" in text  # the same for all splits: it tells no order
    assert "| far | +0.300 [+0.300, +0.300] |" in text  # to none
    assert "| none | -0.200 [-0.200, -0.200] |" in text  # to the mix
    assert (tmp_path / "images" / "pretraining-distribution-pong.png").exists()
    assert "](images/pretraining-distribution-pong.png)" in text
    worse = [row._replace(miou=0.0) if row.split == "target" else row for row in rows()]
    assert benchmark.in_words(worse).endswith(
        "better: nowhere; worse: frozen with 8 labels; neither: nowhere."
    )
    alike = [row._replace(miou=0.3) if row.split == "target" else row for row in rows()]
    assert benchmark.in_words(alike).endswith("neither: frozen with 8 labels.")
    fewer = [row for row in rows() if (row.split, row.seed) not in (("mix", 0), ("none", 0))]
    table = benchmark.by_split(fewer, benchmark.score)
    assert "| mix | 0.500 (seeds 1) |" in table
    assert [line.split(" | ")[0] for line in table.splitlines()[2:]] == [
        "| far",
        "| near",
        "| target",
        "| mix",
        "| none",
    ]
    page.write_text("")
    benchmark.report(rows(), write=False)
    assert not page.read_text()


def test_rows_of_other_settings_do_not_stand_beside_others(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from benchmarks import pretraining_distribution as benchmark

    monkeypatch.setattr(sys, "argv", ["x", "--noise", "0.5", "--encoder", "vit-micro"])
    with pytest.raises(SystemExit):
        benchmark.main()
    assert "other encoder, noise cannot stand" in capsys.readouterr().err
    monkeypatch.chdir(BENCHMARKS.parent)  # the same file by another path
    path = "benchmarks/results/pretraining_distribution.csv"
    for told, message in (
        (["--noise", "0.5", "--results", path], "other noise cannot stand"),
        (["--targets", "tetris", "--runs", "nowhere"], "`target` one of"),
        (["--report", "--results", "nowhere.csv"], "no results at nowhere.csv"),
    ):
        monkeypatch.setattr(sys, "argv", ["x", *told])
        with pytest.raises(SystemExit):
            benchmark.main()
        assert message in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_quick_run_ends_and_writes_no_csv(tmp_path: Path) -> None:
    command = [sys.executable, str(BENCHMARKS / "pretraining_distribution.py"), "--quick", "--seeds", "0"]
    more = ["--targets", "pong", "--runs", str(tmp_path / "study"), "--results", str(tmp_path / "some.csv")]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run([*command, *more], env=env, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stderr
    assert not (tmp_path / "some.csv").exists()
    assert (tmp_path / "study-quick" / "pong-seed0" / "study.csv").exists()
