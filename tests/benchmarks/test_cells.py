"""Cells of benchmarks: files that are skipped, and rows of a csv that are replaced."""

from pathlib import Path
from typing import NamedTuple

from benchmarks.cells import add_rows, merge_rows, metric_rows, read_cells, unfinished, write_cell
from benchmarks.tables import read_csv


class Cell(NamedTuple):
    """A cell with a file in a folder of its own."""

    env: str
    seed: int

    @property
    def file(self) -> str:
        return f"{self.env}/seed{self.seed}.json"


def test_a_cell_is_unfinished_until_its_file_exists(tmp_path: Path) -> None:
    cells = [Cell("b", 0), Cell("a", 0), Cell("b", 0)]
    ran = []
    for cell in unfinished(cells, tmp_path):
        ran.append(cell)
        write_cell(tmp_path / cell.file, {**cell._asdict(), "values": [0.5]})
    assert ran == cells[:2]  # the third one is the first again
    assert (tmp_path / "b" / "seed0.json").read_text() == '{"env": "b", "seed": 0, "values": [0.5]}\n'
    assert list(unfinished(cells, tmp_path)) == []
    assert [content["env"] for content in read_cells(tmp_path, "*/*.json")] == ["a", "b"]
    assert read_cells(tmp_path / "none") == []


def test_rows_of_the_same_metric_are_replaced(tmp_path: Path) -> None:
    results, columns = tmp_path / "results.csv", ("env", "seed", "metric", "value")
    add_rows(results, columns, [])
    assert not results.exists()
    add_rows(results, columns, metric_rows(("b", 0), {"success": 1 / 3, "steps": 40}))
    add_rows(results, columns, [*metric_rows(("b", 0), {"success": 1}), *metric_rows(("a", 0), {"steps": 2})])
    assert read_csv(results) == [
        ["a", "0", "steps", "2"],
        ["b", "0", "steps", "40"],
        ["b", "0", "success", "1"],
    ]


def test_a_key_identifies_and_orders_rows() -> None:
    old, new = [["a", "10", "1", "x"], ["a", "9", "2", "x"]], [["a", "10", "3", "y"]]
    merged = merge_rows(old, new, key=lambda row: (row[0], int(row[1])))
    assert merged == [["a", "9", "2", "x"], ["a", "10", "3", "y"]]
