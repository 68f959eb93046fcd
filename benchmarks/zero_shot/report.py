"""Tables of the zero-shot benchmark.

`normalized`  returns between those of random actions and of IQL on the same reward
`report`      tables of all tasks, printed and written to the page of the results
`table`       table of the given rows
`plan_table`  table of PPO over skills and PPO on actions
`NORMALIZED`  metrics that are computed from returns
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from benchmarks.tables import markdown, replace_section
from benchmarks.zero_shot.learned_rewards import TRUTHS
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["NORMALIZED", "normalized", "plan_table", "report", "table"]

Row = Sequence[str]

NORMALIZED = {"normalized": "return", "true_normalized": "true_return"}
"""Metrics that are computed from returns, with these returns."""
REFERENCES = ("iql", "random-actions")
PLANNERS = ("ppo", "ppo-skills")


def normalized(rows: Sequence[Row]) -> list[list[str]]:
    """Return a row for each normalized return of a zero-shot agent.

    For the metric "normalized", 0 is the return of random actions and 1 that of IQL, which was trained on
    this reward and these data, with the same seed.  For "true_normalized" of a learned reward, 0 and 1 are
    true returns: of random actions, and of IQL on the true reward.  A reward on which IQL is not better than
    random actions has no such row.

    Example:
        >>> rows = [["maze", name, "reward:east", "0", "return", value]
        ...         for name, value in (("hilp", "5"), ("iql", "9"), ("random-actions", "1"))]
        >>> normalized(rows)
        [['maze', 'hilp', 'reward:east', '0', 'normalized', '0.5']]
    """
    returns = {tuple(row[:5]): float(row[5]) for row in rows}
    found = []
    for name, metric in NORMALIZED.items():
        for (env, method, task, seed, kind), value in returns.items():
            is_iql = method == "iql" and name == "true_normalized"
            if kind != metric or (method in REFERENCES and not is_iql) or method in PLANNERS:
                continue
            truth = f"reward:{TRUTHS[task.removeprefix('reward:')]}" if name == "true_normalized" else task
            low = returns.get((env, "random-actions", truth, seed, "return"))
            high = returns.get((env, "iql", truth, seed, "return"))
            if low is not None and high is not None and high > low:
                found.append([env, method, task, seed, name, f"{(value - low) / (high - low):.6g}"])
    return found


def report(rows: Sequence[Row], page: Path) -> None:
    """Print the tables and write them between their markers on the page."""
    tables = {
        "goals": table(rows, "success"),
        "rewards": table(rows, "normalized"),
        "learned": table(rows, "true_normalized"),
        "planning": plan_table(rows),
    }
    for name, text in tables.items():
        print(f"{name}\n{text}\n")
        replace_section(page, name, text)


def table(rows: Sequence[Row], metric: str) -> str:
    """Return a line for each environment and task, with mean and interval over seeds of each method.

    The first column also holds the largest number of seeds of a cell.
    """
    kept = [row for row in rows if row[4] == metric]
    methods = list(dict.fromkeys(row[1] for row in kept))
    lines = [["environment, task (seeds)", *methods]]
    for env, task in dict.fromkeys((row[0], row[2]) for row in kept):
        found = [_values(kept, (env, method, task)) for method in methods]
        seeds = max(len(values) for values in found)
        lines.append([f"{env}, {task.removeprefix('reward:')} ({seeds})", *map(_mean, found)])
    return markdown(lines)


def plan_table(rows: Sequence[Row]) -> str:
    """Return a line for PPO on actions and one for PPO over skills."""
    kept = [row for row in rows if row[2] == "sparse"]
    lines = [["agent", "seeds", "return", "episodes at the goal"]]
    for method in dict.fromkeys(row[1] for row in kept):
        own = [row for row in kept if row[1] == method]
        found = [[float(row[5]) for row in own if row[4] == metric] for metric in ("return", "reached")]
        lines.append([method, str(len(found[0])), *map(_mean, found)])
    return markdown(lines)


def _values(rows: Sequence[Row], key: tuple[str, str, str]) -> list[float]:
    values = [float(row[5]) for row in rows if tuple(row[:3]) == key]
    return [value for value in values if np.isfinite(value)]


def _mean(values: Sequence[float]) -> str:
    if len(values) < 2:
        return f"{values[0]:.2f}" if values else "-"
    return str(bootstrap_interval(np.array(values), np.random.default_rng(0), "mean"))
