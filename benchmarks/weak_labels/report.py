"""Markdown tables of the results.

`report`  tables by the name of their place in the page
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section

__all__ = ["report"]

PAGE = Path(__file__).parents[2] / "docs" / "results" / "weak_labels.md"
NAMES = {
    "bradley_terry": "comparisons",
    "degree": "comparisons and grades (preference degree)",
    "drex": "grades alone (D-REX)",
    "sparse": "success alone",
    "progress_last": "SRPO, last observations",
    "progress_mean": "SRPO, mean observations",
    "shaping_straight": "shaping, straight distance to the goal",
    "shaping_path": "shaping, length of the way",
}


def report(rows: Sequence[Sequence[str]], page: Path = PAGE) -> dict[str, str]:
    """Return the tables of the rows of the csv, and write them into the page."""
    tables = {"degree": _degree(rows), "progress": _progress(rows)}
    for name, table in tables.items():
        replace_section(page, name, table)
    return tables


def _cell(rows: Sequence[Sequence[str]], method: str, n_pairs: str, metric: str) -> str:
    """Return the mean over seeds and the range; empty without rows."""
    key = (method, n_pairs, metric)
    values = [float(row[5]) for row in rows if (row[1], row[2], row[4]) == key]
    if not values:
        return ""
    return f"{np.mean(values):.2f} ({min(values):.2f} to {max(values):.2f}, {len(values)})"


def _degree(rows: Sequence[Sequence[str]]) -> str:
    labels = sorted({row[2] for row in rows if row[4] == "spearman" and row[1] != "drex"}, key=int)
    lines = [["method", *(f"{n} labels" for n in labels), "no labels"]]
    for method in ("bradley_terry", "degree", "drex"):
        cells = [_cell(rows, method, n, "spearman") for n in (*labels, "0")]
        lines.append([NAMES[method], *cells])
    return markdown(lines)


def _progress(rows: Sequence[Sequence[str]]) -> str:
    metrics = ("success", "last_success", "groups_to_half", "groups_without_success")
    lines = [["reward", "successes", "of the last 10 groups", "groups until half", "groups without one"]]
    for method in ("sparse", "progress_last", "progress_mean", "shaping_straight", "shaping_path"):
        lines.append([NAMES[method], *(_cell(rows, method, "0", metric) for metric in metrics)])
    return markdown(lines)
