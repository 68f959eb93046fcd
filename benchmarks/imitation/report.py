"""Markdown tables of the imitation benchmark.

`report`  tables of all environments, printed and written to the page of the results
`table`   table of one environment
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.imitation.cells import MODES
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["report", "table"]


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table of each environment, and write it between its markers on the page."""
    for env in sorted({row[0] for row in rows}):
        text = table(row for row in rows if row[0] == env)
        print(f"\n## {env}\n\n{text}")
        replace_section(page, env, text)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Return a line for each mode and method, with a column with and one without augmentation."""
    normalized_returns: dict[tuple[str, str, str], list[str]] = {}
    for _, method, mode, augment, _, _, normalized, _ in rows:
        normalized_returns.setdefault((mode, method, augment), []).append(normalized)
    order = {mode: place for place, mode in enumerate(("scratch", *MODES))}
    names = sorted({key[:2] for key in normalized_returns}, key=lambda name: (order[name[0]], name[1]))
    lines = [["mode", "method", "seeds", "augmented", "not augmented"]]
    for mode, method in names:
        columns = [normalized_returns.get((mode, method, augment), []) for augment in ("yes", "no")]
        title = "cloning alone" if mode == "scratch" else mode
        lines.append([title, method, str(max(map(len, columns))), *map(_cell, columns)])
    return markdown(lines, 2)


def _cell(entries: Sequence[str]) -> str:
    """Return mean and interval, or the value of a single seed; empty entries are counted separately."""
    values = np.array([float(entry) for entry in entries if entry])
    texts = [f"{value:.2f}" for value in values]
    if len(values) > 1:
        texts = [str(bootstrap_interval(values, np.random.default_rng(0), "mean"))]
    if len(values) < len(entries):
        texts.append(f"without {len(entries) - len(values)}")
    return ", ".join(texts)
