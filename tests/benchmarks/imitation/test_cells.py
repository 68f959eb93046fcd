"""Cells of the imitation benchmark: the grid, the csv, and runs with other settings."""

import csv
import json
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.imitation import cells as imitation_cells
from benchmarks.imitation.cells import (
    COLUMNS,
    METHODS,
    QUICK,
    Budget,
    cell_folder,
    cell_settings,
    cells,
    collect_results,
    is_finished,
    prepare_data,
    run_seed,
)

from rlpriors.representation import RECIPES
from rlpriors.training.run_folder import create_or_resume_run, write_json


def test_every_method_has_four_cells_and_cloning_alone_two() -> None:
    grid = cells(["simclr", "vae"])
    assert len(grid) == len(set(grid)) == 2 + 2 * 4
    assert grid[:2] == [("none", "scratch", True), ("none", "scratch", False)]
    assert ("vae", "joint", False) in grid


def test_methods_are_recipes() -> None:
    assert set(METHODS) <= set(RECIPES)


def test_finished_runs_are_added_to_the_csv(tmp_path: Path) -> None:
    results = tmp_path / "imitation.csv"
    content = {"env": "pong", "method": "vae", "mode": "joint", "augment": True, "seed": 1, "return": -2.0}
    content |= {"normalized": 0.5, "seconds": 60.0}
    for seed in (1, 100):  # the second is a development seed
        cell = tmp_path / "runs" / "pong" / f"seed{seed}" / "joint-vae-augmented"
        cell.mkdir(parents=True)
        (cell / "results.json").write_text(json.dumps(content | {"seed": seed}))
    cell = tmp_path / "runs" / "pong" / "seed2" / "joint-vae-augmented"
    cell.mkdir(parents=True)  # the demonstrations were not better than a random policy
    (cell / "results.json").write_text(json.dumps(content | {"seed": 2, "normalized": None}))
    results.write_text(",".join(COLUMNS) + "\npong,none,scratch,no,0,-3,0.25,40\n")
    collect_results(tmp_path / "runs", results)
    with results.open(newline="") as file:
        rows = list(csv.reader(file))
    assert rows == [
        list(COLUMNS),
        ["pong", "none", "scratch", "no", "0", "-3", "0.25", "40"],
        ["pong", "vae", "joint", "yes", "1", "-2", "0.5", "60"],
        ["pong", "vae", "joint", "yes", "2", "-2", "", "60"],
    ]


def test_cells_in_the_csv_are_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(n_workers: int) -> None:
        raise AssertionError("a recorded cell was run")

    monkeypatch.setattr(imitation_cells, "WorkerPool", fail)
    results = tmp_path / "imitation.csv"
    controls = "".join(f"pong,none,scratch,{augment},0,-3,0.25,40\n" for augment in ("yes", "no"))
    results.write_text(",".join(COLUMNS) + "\n" + controls)
    run_seed("pong", 0, (), tmp_path, QUICK, results)
    with pytest.raises(AssertionError):
        run_seed("pong", 0, (), tmp_path, QUICK, None)


def test_a_finished_cell_with_other_settings_is_an_error(tmp_path: Path) -> None:
    budget, cell, folder = Budget(), ("simclr", "joint", True), tmp_path / "pong" / "seed0"
    settings = cell_settings("pong", 0, cell, folder, budget)
    run = create_or_resume_run(cell_folder(folder, cell), settings, resume=False)
    assert not is_finished(run, settings)
    write_json(run / "results.json", {})
    assert is_finished(run, settings)
    for name in ("updates", "random_steps", "batch_size"):
        more = replace(budget, **{name: 3 * getattr(budget, name)})
        with pytest.raises(ValueError, match=rf"joint-simclr-augmented was started with .*{name} .*\(now "):
            is_finished(run, cell_settings("pong", 0, cell, folder, more))
    with pytest.raises(ValueError, match="joint-simclr-augmented was started with"):
        run_seed("pong", 0, ("simclr",), tmp_path, QUICK, None)


def test_demonstrations_with_other_settings_are_an_error(tmp_path: Path) -> None:
    (tmp_path / "demos").mkdir()
    content = {"settings": {"env": "pong", "n_episodes": 7}}
    (tmp_path / "demos" / "demonstrations.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"demos was started with n_episodes 7 \(now 20\)"):
        prepare_data("pong", 0, tmp_path, Budget())
