"""Tables of the benchmark of synthetic data.

`report`   tables of all environments, printed and written to the page of the results
`returns`  returns of policies by their data
`samples`  synthetic actions and dynamics by the strength of the guidance
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.synthetic_data.cells import CONTROL, METHODS
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval, paired_difference

__all__ = ["report", "returns", "samples"]

Row = Sequence[str]


def report(rows: Sequence[Row], page: Path) -> None:
    """Print both tables and write them between their markers on the page."""
    for name, text in (("samples", samples(rows)), ("returns", returns(rows))):
        print(f"\n## {name}\n\n{text}")
        replace_section(page, name, text)


def samples(rows: Sequence[Row]) -> str:
    """Return a line for each environment, algorithm and strength: log-likelihood and dynamics error.

    The last column is the largest ratio of the error to the unguided one, over seeds.
    """
    values = _values(rows)
    head = ["environment", "target", "strength", "seeds", "log-likelihood", "dynamics error", "ratio"]
    lines = [[*head, "largest ratio"]]
    for env in sorted({row[0] for row in rows}):
        for method in METHODS[1:-1]:
            found, errors = (values.get((env, method, m)) for m in ("log_likelihood", "dynamics_error"))
            if not found:
                continue
            algorithm, data = method.split("/")
            start = [env, algorithm, data, str(len(found)), _mean(found, 3)]
            if not errors:
                lines.append([*start, "0", "", ""])
                continue
            first = values[env, f"{algorithm}/0", "dynamics_error"]
            ratios = [errors[seed] / first[seed] for seed in errors if seed in first]
            lines.append([*start, _mean(errors, 3), f"{np.mean(ratios):.2f}", f"{max(ratios):.2f}"])
    return markdown(lines, 2)


def returns(rows: Sequence[Row]) -> str:
    """Return a line for each environment, algorithm and data: returns, and their difference to real data."""
    values = _values(rows)
    lines = [["environment", "algorithm", "data", "seeds", "return", "difference to real data"]]
    for env in sorted({row[0] for row in rows}):
        for metric, title in (("return", "recorded episodes"), ("expert_return", "scripted expert")):
            if found := values.get((env, "behavior", metric)):
                lines.append([env, title, "", str(len(found)), _mean(found, 0), ""])
        for method in METHODS[1:]:
            found = values.get((env, method, "return"))
            if not found:
                continue
            algorithm, data = method.split("/")
            titles = {"real": "real", "0": "real and unguided"}
            start = [env, algorithm, titles.get(data, f"real and guided, {data}"), str(len(found))]
            real = values.get((env, f"{algorithm.removesuffix('-40')}/real", "return"), {})
            seeds = [seed for seed in found if seed in real]
            is_base = data == "real" and method != CONTROL
            lines.append([*start, _mean(found, 0), "" if is_base else _difference(found, real, seeds)])
    return markdown(lines, 3)


def _values(rows: Sequence[Row]) -> dict[tuple[str, str, str], dict[int, float]]:
    values: dict[tuple[str, str, str], dict[int, float]] = {}
    for env, method, seed, metric, value in rows:
        values.setdefault((env, method, metric), {})[int(seed)] = float(value)
    return values


def _mean(found: dict[int, float], digits: int) -> str:
    numbers = np.array(list(found.values()))
    if len(numbers) < 2:
        return f"{numbers[0]:.{digits}f}"
    low, high = bootstrap_interval(numbers, np.random.default_rng(0), "mean")[1:]
    return f"{numbers.mean():.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"


def _difference(found: dict[int, float], real: dict[int, float], seeds: list[int]) -> str:
    if len(seeds) < 2:
        return " ".join(f"{found[seed] - real[seed]:.0f}" for seed in seeds)
    other, base = (np.array([values[seed] for seed in seeds]) for values in (found, real))
    estimate, low, high = paired_difference(other, base, np.random.default_rng(0))
    return f"{estimate:.0f} [{low:.0f}, {high:.0f}]"
