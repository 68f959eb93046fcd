"""The benchmark of imitation: its cells, its table, its csv, its refusals."""

import csv
import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def _on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))


def test_every_method_has_four_cells_and_cloning_alone_two() -> None:
    from benchmarks import imitate

    found = imitate.cells(["simclr", "vae"])
    assert len(found) == len(set(found)) == 2 + 2 * 4
    assert found[:2] == [("none", "scratch", True), ("none", "scratch", False)]
    assert ("vae", "joint", False) in found


def test_methods_are_recipes() -> None:
    from benchmarks import imitate

    from rlpriors.representation import RECIPES

    assert set(imitate.METHODS) <= set(RECIPES)


def test_table_holds_methods_against_their_controls() -> None:
    from benchmarks import imitate

    def row(method: str, mode: str, augment: str, seed: int, normalized: float | str) -> list[str]:
        return ["pong", method, mode, augment, str(seed), "0", str(normalized), "9"]

    rows = [row("simclr", "joint", "yes", 0, 0.25), row("none", "scratch", "no", 0, 0.5)]
    rows += [row("simclr", "pretrain", "yes", seed, 0.75) for seed in (0, 1)]
    rows += [row("simclr", "pretrain", "no", 0, 0.5), row("simclr", "pretrain", "no", 1, "")]
    rows += [row("vae", "joint", "no", 0, "")]
    assert imitate.table(rows).splitlines() == [
        "| mode | method | seeds | augmented | not augmented |",
        "| --- | --- | ---: | ---: | ---: |",
        "| cloning alone | none | 1 |  | 0.50 |",
        "| pretrain | simclr | 2 | 0.75 [0.75, 0.75] | 0.50, without 1 |",
        "| joint | simclr | 1 | 0.25 |  |",
        "| joint | vae | 1 |  | without 1 |",
    ]


def test_runs_become_rows_beside_those_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import imitate

    results = tmp_path / "imitate.csv"
    monkeypatch.setattr(imitate, "RESULTS", results)
    told = {"env": "pong", "method": "vae", "mode": "joint", "augment": True, "seed": 1, "return": -2.0}
    told |= {"normalized": 0.5, "seconds": 60.0}
    for seed in (1, 100):  # the second is for development
        cell = tmp_path / "runs" / "pong" / f"seed{seed}" / "joint-vae-augmented"
        cell.mkdir(parents=True)
        (cell / "results.json").write_text(json.dumps(told | {"seed": seed}))
    cell = tmp_path / "runs" / "pong" / "seed2" / "joint-vae-augmented"
    cell.mkdir(parents=True)  # demonstrations there were worth no more than random play
    (cell / "results.json").write_text(json.dumps(told | {"seed": 2, "normalized": None}))
    results.write_text(",".join(imitate.COLUMNS) + "\npong,none,scratch,no,0,-3,0.25,40\n")
    imitate.collect(tmp_path / "runs", results)
    with results.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        list(imitate.COLUMNS),
        ["pong", "none", "scratch", "no", "0", "-3", "0.25", "40"],
        ["pong", "vae", "joint", "yes", "1", "-2", "0.5", "60"],
        ["pong", "vae", "joint", "yes", "2", "-2", "", "60"],
    ]


def test_the_table_goes_between_its_marks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from benchmarks import imitate

    page = tmp_path / "page.md"
    page.write_text("Before.\n<!-- pong -->\nold\n<!-- end of pong -->\nAfter.\n")
    imitate.report([["pong", "none", "scratch", "no", "0", "-3", "0.25", "40"]], page)
    text = page.read_text()
    assert text.startswith("Before.\n<!-- pong -->\n| mode |")
    assert text.endswith("| cloning alone | none | 1 |  | 0.25 |\n<!-- end of pong -->\nAfter.\n")
    assert "## pong" in capsys.readouterr().out


def test_seeds_for_development_are_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from benchmarks import imitate

    monkeypatch.setattr(sys, "argv", ["imitate.py", "--seeds", "0", "100", "--runs", str(tmp_path)])
    with pytest.raises(SystemExit):
        imitate.main()
    assert "add --development" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_quick_cells_are_kept_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    from benchmarks import imitate

    asked: list[tuple[Path, bool]] = []
    monkeypatch.setattr(imitate, "run_seed", lambda *job: asked.append(job[-2:]))
    monkeypatch.setattr(imitate, "collect", lambda runs, _: asked.append((runs, False)))
    for words in (["--quick"], [], ["--quick", "--runs", "mine"]):
        monkeypatch.setattr(sys, "argv", ["imitate.py", "--seeds", "0", *words])
        imitate.main()
    quick, real = Path("runs/imitate-quick"), Path("runs/imitate")
    assert asked == [(quick, True), (real, False), (real, False), (Path("mine"), True)]


def test_a_finished_cell_of_other_settings_is_an_error(tmp_path: Path) -> None:
    from benchmarks import imitate

    from rlpriors.training.run_folder import create_or_resume_run, write_json

    budget, cell, folder = imitate.Budget(), ("simclr", "joint", True), tmp_path / "pong" / "seed0"
    settings = imitate.cell_settings("pong", 0, cell, folder, budget)
    run = create_or_resume_run(imitate.cell_folder(folder, cell), settings, resume=False)
    assert not imitate.is_finished(run, settings)
    write_json(run / "results.json", {})
    assert imitate.is_finished(run, settings)
    for name in ("updates", "random_steps", "batch_size"):
        more = replace(budget, **{name: 3 * getattr(budget, name)})
        with pytest.raises(ValueError, match=rf"joint-simclr-augmented was started with .*{name} .*\(now "):
            imitate.is_finished(run, imitate.cell_settings("pong", 0, cell, folder, more))
    with pytest.raises(ValueError, match="joint-simclr-augmented was started with"):
        imitate.run_seed("pong", 0, ("simclr",), tmp_path, True)


def test_demonstrations_of_other_settings_are_an_error(tmp_path: Path) -> None:
    from benchmarks import imitate

    (tmp_path / "demos").mkdir()
    told = {"settings": {"env": "pong", "episodes": 7}}
    (tmp_path / "demos" / "demonstrations.json").write_text(json.dumps(told))
    with pytest.raises(ValueError, match=r"demos was started with episodes 7 \(now 20\)"):
        imitate.prepare("pong", 0, tmp_path, imitate.Budget())


@pytest.mark.slow
def test_a_quick_run_leaves_each_cell_and_is_not_done_twice(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    from benchmarks import imitate

    words = ["imitate.py", "--quick", "--development", "--seeds", "100", "--envs", "Reacher-v5", "--methods"]
    monkeypatch.setattr(sys, "argv", [*words, "--runs", str(tmp_path / "runs")])
    imitate.main()
    assert capsys.readouterr().out.count("Reacher-v5 seed 100") == 2
    folder = tmp_path / "runs" / "Reacher-v5" / "seed100"
    assert {path.name for path in folder.iterdir()} == {
        "demos", "random", "scratch-none-augmented", "scratch-none-plain"
    }  # fmt: skip
    imitate.main()
    assert capsys.readouterr().out == ""
