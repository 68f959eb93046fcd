"""Tables of the zero-shot benchmark.

`normalized`  returns between those of random actions and of IQL on the same reward
`report`      table of all tasks, printed and written to the page of the results
`table`       table of the given rows
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["normalized", "report", "table"]

Row = Sequence[str]


def normalized(rows: Sequence[Row]) -> list[list[str]]:
    """Return a row with the metric "normalized" for each return of a zero-shot agent.

    0 is the return of random actions and 1 that of IQL, which was trained on this reward and these data,
    with the same seed.  A reward on which IQL is not better than random actions has no such row.

    Example:
        >>> rows = [["umaze", name, "reward:east", "0", "return", value]
        ...         for name, value in (("hilp", "5"), ("iql", "9"), ("random-actions", "1"))]
        >>> normalized(rows)
        [['umaze', 'hilp', 'reward:east', '0', 'normalized', '0.5']]
    """
    returns = {(r[0], r[1], r[2], r[3]): float(r[5]) for r in rows if r[4] == "return"}
    found = []
    for (env, name, task, seed), value in returns.items():
        low = returns.get((env, "random-actions", task, seed))
        high = returns.get((env, "iql", task, seed))
        if name in ("iql", "random-actions") or low is None or high is None or high <= low:
            continue
        found.append([env, name, task, seed, "normalized", f"{(value - low) / (high - low):.6g}"])
    return found


def report(rows: Sequence[Row], page: Path) -> None:
    """Print the table and write it between its markers on the page."""
    text = table(rows)
    print(text)
    replace_section(page, "zero-shot", text)


def table(rows: Sequence[Row]) -> str:
    """Return a line for each environment and task, with mean and interval over seeds of each method."""
    kept = [row for row in rows if row[4] in ("success", "normalized")]
    methods = list(dict.fromkeys(row[1] for row in kept))
    lines = [["environment", "task", "seeds", *methods]]
    for env, task in dict.fromkeys((row[0], row[2]) for row in kept):
        cells, seeds = [], 0
        for method in methods:
            values = [float(r[5]) for r in kept if (r[0], r[2], r[1]) == (env, task, method)]
            values = [value for value in values if np.isfinite(value)]
            seeds = max(seeds, len(values))
            cells.append(_mean(values))
        lines.append([env, task, str(seeds), *cells])
    return markdown(lines, 2)


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else "-"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
