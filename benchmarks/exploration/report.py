"""Tables of the exploration benchmark.

`report`        tables of all environments, printed and written to the page of the results
`table`         table of one environment
`choice_table`  table of the trials on the development seeds
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.exploration.methods import METHODS
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["choice_table", "report", "table"]


def report(rows: Sequence[Sequence[str]], page: Path, trials: Sequence[Sequence[str]]) -> None:
    """Print the tables of each environment and of the trials, and write them between their markers."""
    for env in sorted({row[0] for row in rows}):
        text = table([row for row in rows if row[0] == env])
        print(f"\n## {env}\n\n{text}")
        replace_section(page, env, text)
    text = choice_table(trials)
    print(f"\n## trials\n\n{text}")
    replace_section(page, "trials", text)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each method: median first solve, means and intervals over seeds."""
    values: dict[tuple[str, str], list[float]] = {}
    for _, method, _, metric, value in rows:
        values.setdefault((method, metric), []).append(float(value))
    header = [
        "method",
        "seeds",
        "seeds that solved it",
        "first solve, median",
        "solved",
        "solved late",
        "CPU s",
    ]
    lines = [header]
    for method in (name for name in METHODS if (name, "solved") in values):
        first = np.array(values[method, "first_solve"])
        found = first <= np.array(values[method, "episodes"])
        median = np.median(first)
        lines.append(
            [
                method,
                str(len(first)),
                str(int(found.sum())),
                "never" if median > values[method, "episodes"][0] else f"{median:.0f}",
                _mean(values[method, "solved"]),
                _mean(values[method, "solved_late"]),
                f"{np.mean(values[method, 'seconds']):.0f}",
            ]
        )
    return markdown(lines, 1)


def choice_table(trials: Sequence[Sequence[str]]) -> str:
    """Return a line for each method and setting: median first solve and mean fraction solved.

    Args:
        trials: rows of the csv of the trials.
    """
    found: dict[tuple[str, str, float], dict[str, list[float]]] = {}
    for env, method, setting, _, metric, value in trials:
        found.setdefault((env, method, float(setting)), {}).setdefault(metric, []).append(float(value))
    lines = [["environment", "method", "setting", "seeds", "first solve, median", "solved"]]
    for (env, method, number), metrics in sorted(found.items()):
        first, solved = np.median(metrics["first_solve"]), np.mean(metrics["solved"])
        count = str(len(metrics["solved"]))
        lines.append([env, method, f"{number:g}", count, f"{first:.0f}", f"{solved:.3f}"])
    return markdown(lines, 2)


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
