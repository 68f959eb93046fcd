"""Tables of `benchmarks.own_data.run`, from the csv alone.

`report`  tables, printed and written to the documentation
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section

__all__ = ["COLUMNS", "report"]

COLUMNS = ("env", "seed", "metric", "value")


def report(rows: Sequence[Sequence[str]], page: Path, titles: dict[str, str]) -> None:
    """Print the table of all cells and the means of each environment, and write them to a page.

    Args:
        rows: rows of the csv.
        page: page of the documentation.
        titles: actions and observations of each environment in words.
    """
    cells: dict[tuple[str, str], dict[str, float]] = {}
    for env, seed, metric, value in rows:
        cells.setdefault((env, seed), {})[metric] = float(value)
    header = ["environment", "seed", "demonstrations", "random", "policy", "fraction", "CPU s"]
    lines = [header]
    for (env, seed), values in cells.items():
        names = ("demonstrations", "random", "policy")
        numbers = [f"{values[name]:.1f}" for name in names]
        lines.append([env, seed, *numbers, f"{values['fraction']:.2f}", f"{values['cpu_seconds']:.0f}"])
    means = [["environment", "actions and observations", "seeds", "fraction", "lowest", "CPU s"]]
    for env in dict.fromkeys(env for env, _ in cells):
        own = [values for (name, _), values in cells.items() if name == env]
        fractions = [values["fraction"] for values in own]
        seconds = np.mean([values["cpu_seconds"] for values in own])
        numbers = [f"{np.mean(fractions):.2f}", f"{min(fractions):.2f}", f"{seconds:.0f}"]
        means.append([env, titles.get(env, ""), str(len(own)), *numbers])
    for name, text in (("own data", markdown(means, 2)), ("own data, all runs", markdown(lines))):
        print(f"\n## {name}\n\n{text}")
        replace_section(page, name, text)
