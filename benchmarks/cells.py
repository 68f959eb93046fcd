"""Cells of benchmarks: a finished cell is one JSON file, and one or more rows of a csv.

A benchmark runs its unfinished cells and writes the file of each one, so that a command that was stopped
continues at its next call.  Then it adds the rows of all files to the csv of its results, which may hold
cells of other machines, too.

`StoredCell`   protocol of a cell that knows the name of its file
`unfinished`   cells whose files do not exist
`write_cell`   file of a finished cell
`read_cells`   contents of the files of finished cells
`metric_rows`  rows of a csv with one metric each
`merge_rows`   old and new rows; new ones replace those with the same key
`add_rows`     the same with the rows of a csv file
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

from benchmarks.tables import read_csv, write_csv
from rlpriors.storage.atomic import write_text_atomically

__all__ = [
    "StoredCell",
    "add_rows",
    "merge_rows",
    "metric_rows",
    "read_cells",
    "unfinished",
    "write_cell",
]

Row = Sequence[str]


class StoredCell(Protocol):
    """Cell of a benchmark that knows the name of its file."""

    @property
    def file(self) -> str:
        """Name of the cell's file."""
        ...


CellT = TypeVar("CellT", bound=StoredCell)


def unfinished(cells: Iterable[CellT], runs: Path) -> Iterator[CellT]:
    """Yield the cells without a file in the folder `runs`; each file is looked up when its cell is next."""
    return (cell for cell in cells if not (runs / cell.file).exists())


def write_cell(path: Path, content: Any) -> None:
    """Write the content of a finished cell as one line of JSON; the folder is created."""
    write_text_atomically(path, json.dumps(content) + "\n")


def read_cells(runs: Path, pattern: str = "*.json") -> list[Any]:
    """Return the contents of all files of the pattern in the folder `runs`, in the order of their names."""
    return [json.loads(file.read_text()) for file in sorted(runs.glob(pattern))]


def metric_rows(names: Iterable[object], metrics: Mapping[str, float]) -> list[list[str]]:
    """Return a row for each metric: the names of the cell, the metric and its value with six digits."""
    cell = [str(name) for name in names]
    return [[*cell, metric, f"{value:.6g}"] for metric, value in metrics.items()]


def _all_but_last(row: Row) -> tuple[Any, ...]:
    return tuple(row[:-1])


def merge_rows(
    old: Iterable[Row], new: Iterable[Row], key: Callable[[Row], tuple[Any, ...]] = _all_but_last
) -> list[Row]:
    """Return the rows in the order of their keys; of equal keys the last row alone.

    Args:
        old: rows of a csv.
        new: rows that replace those of `old` with the same key.
        key: function of a row, which identifies and orders it; by default all entries but the last.
    """
    rows = {key(row): row for row in (*old, *new)}
    return [rows[name] for name in sorted(rows)]


def add_rows(
    results: Path,
    columns: Sequence[str],
    rows: Iterable[Row],
    key: Callable[[Row], tuple[Any, ...]] = _all_but_last,
) -> None:
    """Add rows to a csv file, as `merge_rows` does; nothing is written if there are none."""
    merged = merge_rows(read_csv(results), rows, key)
    if merged:
        write_csv(results, columns, merged)
