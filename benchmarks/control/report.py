"""Table of the control benchmark.

`report`  table of all environments, printed and written to the page of the results
`table`   table of the given rows
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["report", "table"]

Curve = list[tuple[int, float, float]]
HEADER = ["environment", "observation", "seeds", "steps", "return", "CPU seconds", "return at equal time"]


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the table and write it between its markers on the page."""
    text = table(rows)
    print(text)
    replace_section(page, "control", text)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each environment and observation.

    `return` is the mean of the last quarter of the learning curves.  `return at equal time` is that of the
    last quarter of the part that fits into the CPU time of the fastest training of the environment and seed.
    """
    curves: dict[tuple[str, str], dict[str, Curve]] = {}
    for env, _, observation, seed, steps, seconds, value in rows:
        point = (int(steps), float(seconds), float(value))
        curves.setdefault((env, observation), {}).setdefault(seed, []).append(point)
    lines = [HEADER]
    for env, observation in sorted(curves):
        seeds = curves[env, observation]
        others = [found for (name, _), found in curves.items() if name == env]
        budget = {seed: min(found[seed][-1][1] for found in others if seed in found) for seed in seeds}
        steps = max(curve[-1][0] for curve in seeds.values())
        seconds = float(np.mean([curve[-1][1] for curve in seeds.values()]))
        cut = [[p for p in curve if p[1] <= budget[seed]] or curve[:1] for seed, curve in seeds.items()]
        numbers = [str(len(seeds)), f"{steps:,}", _mean(list(seeds.values())), f"{seconds:.0f}", _mean(cut)]
        lines.append([env, observation, *numbers])
    return markdown(lines, 2)


def _mean(curves: Sequence[Curve]) -> str:
    """Return mean and interval over seeds of the last quarter of each curve."""
    values = [np.mean([point[2] for point in curve[-max(1, len(curve) // 4) :]]) for curve in curves]
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
