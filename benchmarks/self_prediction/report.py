"""Tables of the self-prediction benchmark.

`report`  tables of all games, printed and written to the page of the results
`table`   table of one game
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.self_prediction.tasks import METHODS
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval, paired_difference

__all__ = ["report", "table"]

REFERENCE = "augmentation"


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table of each game and write it between its markers."""
    for env in sorted({row[0] for row in rows}):
        text = table([row for row in rows if row[0] == env])
        print(f"\n## {env}\n\n{text}")
        replace_section(page, env, text)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each method: means and intervals over seeds, and the difference to `augmentation`."""
    values: dict[tuple[str, str], dict[int, float]] = {}
    for _, method, seed, metric, value in rows:
        values.setdefault((method, metric), {})[int(seed)] = float(value)
    lines = [
        ["method", "seeds", "return, whole training", "return, last fifth", "minus augmentation", "CPU s"]
    ]
    other = values.get((REFERENCE, "return"), {})
    for method in (name for name in METHODS if (name, "return") in values):
        found, difference = values[method, "return"], ""
        both = sorted(found.keys() & other.keys())
        if method != REFERENCE and len(both) > 1:
            pair = [np.array([table[seed] for seed in both]) for table in (found, other)]
            difference = str(paired_difference(pair[0], pair[1], np.random.default_rng(0)))
        cells = [_mean(list(values[method, name].values())) for name in ("return", "last")]
        seconds = np.mean(list(values[method, "seconds"].values()))
        lines.append([method, str(len(found)), *cells, difference, f"{seconds:.0f}"])
    return markdown(lines, 1)


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
