"""Table of the planning-speed benchmark.

`report`  table of all methods, printed and written to the page of the results
`table`   table of the given rows
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.planning_speed.methods import METHODS
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["report", "table"]

Row = Sequence[str]


def report(rows: Sequence[Row], page: Path) -> None:
    """Print the table and write it between its markers on the page."""
    text = table(rows)
    print(text)
    replace_section(page, "planning speed", text)


def table(rows: Sequence[Row]) -> str:
    """Return a line for each environment and method: speed, time of a decision, and success over seeds.

    Example:
        >>> print(table([["umaze", "distilled/1", "0", "1000", "0.9"]]))  # doctest: +NORMALIZE_WHITESPACE
        | environment | method | steps per decision | seeds | actions/s | ms per decision | success |
        | --- | --- | ---: | ---: | ---: | ---: | ---: |
        | umaze | distilled | 1 | 1 | 1,000 | 1.0 | 0.90 |
    """
    head = ["environment", "method", "steps per decision", "seeds", "actions/s", "ms per decision", "success"]
    lines = [head]
    for env in dict.fromkeys(row[0] for row in rows):
        for method in METHODS:
            kept = [row for row in rows if (row[0], row[1]) == (env, method)]
            if not kept:
                continue
            name, every = method.split("/")
            rates, values = (np.array([float(row[i]) for row in kept]) for i in (3, 4))
            rate = float(np.median(rates))
            lines.append(
                [
                    *(env, name, every, str(len(kept)), f"{rate:,.0f}"),
                    f"{1000 * int(every) / rate:.1f}",
                    _mean(values),
                ]
            )
    return markdown(lines, 2)


def _mean(values: np.ndarray) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return str(bootstrap_interval(values, np.random.default_rng(0), "mean"))
