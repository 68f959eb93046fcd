"""Tables of the policy benchmark.

`report`  tables of all environments, printed and written to the page of the results
`table`   table of some environments and metrics
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["report", "table"]

Row = Sequence[str]

SECTIONS = {
    "goals": (("umaze", "ring"), ("success", "success-far", "steps")),
    "pushing": (("fetchpush",), ("success", "success-any", "cm")),
    "detour": (("detour",), ("success", "collision", "above", "below")),
    "phase": (("phase",), ("accuracy", "above-0.9")),
    "speed": (("speed",), ("ms_per_action", "updates_per_s")),
}
"""Environments and metrics of each table."""


def report(rows: Sequence[Row], page: Path) -> None:
    """Print the tables and write each between its markers on the page."""
    for name, (envs, metrics) in SECTIONS.items():
        text = table(rows, envs, metrics)
        print(text)
        replace_section(page, f"policies-{name}", text)


def table(rows: Sequence[Row], envs: Sequence[str], metrics: Sequence[str]) -> str:
    """Return a line for each environment and method, with mean and interval over seeds of each metric."""
    kept = [row for row in rows if row[0] in envs and row[4] in metrics]
    lines = [["environment", "method", "demonstrations", "seeds", *metrics]]
    groups = {(row[0], row[1], row[2]) for row in kept}
    for env, method, demos in sorted(groups, key=lambda group: (envs.index(group[0]), *map(_padded, group))):
        found = {
            metric: [float(r[5]) for r in kept if (r[0], r[1], r[2], r[4]) == (env, method, demos, metric)]
            for metric in metrics
        }
        seeds = max(map(len, found.values()))
        lines.append([env, method, demos, str(seeds), *(_mean(values) for values in found.values())])
    return markdown(lines, 2)


def _padded(name: str) -> str:
    """Return a name that sorts by its numbers."""
    return re.sub(r"\d+", lambda match: match.group().zfill(6), name)


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else "-"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
