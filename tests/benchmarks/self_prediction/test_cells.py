"""Cells of the self-prediction benchmark: tiny trainings, the csv and the tables."""

import json
from pathlib import Path

import pytest
from benchmarks.self_prediction.cells import Cell, collect_results, run_cells
from benchmarks.self_prediction.report import table
from benchmarks.self_prediction.tasks import METHODS, TASKS, make_agent
from benchmarks.tables import read_csv


def test_tiny_trainings_write_their_cells_once(tmp_path: Path) -> None:
    cells = [Cell("catch", method, 0, 40) for method in METHODS]
    run_cells(cells, tmp_path)
    assert len(list(tmp_path.glob("*.json"))) == len(METHODS)
    for cell in cells:
        metrics = json.loads((tmp_path / cell.file).read_text())["metrics"]
        assert -1 <= metrics["return"] <= 1
        assert metrics["episodes"] == 3  # of 7 steps each, after 20 random steps: 21 to 35 of 40
    before = (tmp_path / cells[0].file).stat().st_mtime_ns
    run_cells(cells[:1], tmp_path)
    assert (tmp_path / cells[0].file).stat().st_mtime_ns == before


def test_methods_differ_in_their_parts_only() -> None:
    agents = {name: make_agent("catch", method, "cpu", 0) for name, method in METHODS.items()}
    assert agents["self-prediction"].settings.weight == 2.0
    assert agents["augmentation"].settings.weight == 0.0
    assert agents["augmentation"].settings.augments
    assert not agents["plain"].settings.augments
    assert agents["self-prediction, plain frames"].average is not None
    weights = [agent.network.value.weight for agent in agents.values()]
    assert all((weight == weights[0]).all() for weight in weights)


def write(folder: Path, method: str, seed: int, value: float, env_steps: int) -> None:
    cell = Cell("catch", method, seed, env_steps)
    metrics = {"return": value, "last": value, "episodes": 10.0, "seconds": 3.0}
    (folder / cell.file).write_text(json.dumps({**cell._asdict(), "metrics": metrics}))


def test_rows_and_table(tmp_path: Path) -> None:
    whole = TASKS["catch"].training.env_steps
    for seed, value in ((0, 0.25), (1, 0.75)):
        write(tmp_path, "self-prediction", seed, value, whole)
        write(tmp_path, "augmentation", seed, value - 0.5, whole)
    write(tmp_path, "plain", 0, 0.1, 40)  # not a whole training
    write(tmp_path, "plain", 100, 0.1, whole)  # a development seed
    results = tmp_path / "results.csv"
    collect_results(tmp_path, results)
    rows = read_csv(results)
    assert ["catch", "self-prediction", "1", "return", "0.75"] in rows
    assert {row[1] for row in rows} == {"self-prediction", "augmentation"}
    lines = table(rows).splitlines()
    assert lines[2] == (
        "| self-prediction | 2 | 0.50 [0.25, 0.75] | 0.50 [0.25, 0.75] | 0.50 [0.50, 0.50] | 3 |"
    )
    assert lines[3].split(" | ")[4] == ""


def test_a_training_without_a_whole_episode() -> None:
    from benchmarks.self_prediction.cells import run_cell

    with pytest.raises(ValueError, match="must cover an episode"):
        run_cell(Cell("catch", "plain", 0, 4))
