"""Tables of the benchmark of learned worlds.

`report`   tables of all environments, printed and written to the page of the results
`table`    agreement of the rankings in one environment
`returns`  mean returns of the policies in one environment
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["report", "returns", "table"]

METHODS = {"model": "return in the model", "action-mse": "action error"}


def report(rows: Sequence[Sequence[str]], page: Path) -> None:
    """Print the tables of each environment and write them between their markers."""
    for env in sorted({row[0] for row in rows}):
        chosen = [row for row in rows if row[0] == env]
        for name, text in ((env, table(chosen)), (f"{env}-returns", returns(chosen))):
            print(f"\n## {name}\n\n{text}")
            replace_section(page, name, text)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each kind of data and ranking: means and intervals over seeds."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for _, data, method, _, metric, value in rows:
        values.setdefault((data, method, metric), []).append(float(value))
    lines = [["data", "ranking by", "seeds", "Spearman", "lowest seed", "Pearson", "MMRV / range"]]
    for data in ("diverse", "expert"):
        for method, title in METHODS.items():
            found = values.get((data, method, "spearman"))
            if found is None:
                continue
            metrics = (_mean(values.get((data, method, name), [])) for name in ("pearson", "mmrv"))
            lines.append([data, title, str(len(found)), _mean(found), f"{min(found):.2f}", *metrics])
    return markdown(lines, 2)


def returns(rows: Sequence[Sequence[str]]) -> str:
    """Return a line for each policy: mean returns over seeds in the simulator and in the worlds."""
    values: dict[tuple[str, str, str], list[float]] = {}
    for _, data, method, _, metric, value in rows:
        if method.startswith("return:"):
            values.setdefault((metric, method, data), []).append(float(value))
    names = dict.fromkeys(name for name, *_ in values)  # in the order of the rows, for equal returns
    policies = sorted(names, key=lambda name: -np.mean(values[name, "return:real", "diverse"]))
    columns = (("return:real", "diverse"), ("return:model", "diverse"), ("return:model", "expert"))
    lines = [["policy", "simulator", "model of diverse data", "model of expert data"]]
    means = {name: [np.mean(values.get((name, *key), [np.nan])) for key in columns] for name in policies}
    digits = 0 if np.nanmax(np.abs(list(means.values()))) >= 10 else 2
    for name in policies:
        lines.append([name, *(f"{mean:.{digits}f}" for mean in means[name])])
    return markdown(lines, 1)


def _mean(values: Sequence[float]) -> str:
    if not values:
        return "none"
    if len(values) < 2:
        return f"{values[0]:.2f}"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
