"""Markdown tables of the preference benchmark.

`report`       all tables, printed and written to the page of the results
`reward_table` scores of the rewards by number of pairs and fraction of wrong labels
`policy_table` normalized returns of the policies by method
"""

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from benchmarks.preferences.methods import BASELINES, PREFERENCES, RANDOM_POLICY
from benchmarks.preferences.worlds import WORLDS
from benchmarks.tables import markdown, replace_section
from rlpriors.evaluation.intervals import bootstrap_interval

__all__ = ["policy_table", "report", "reward_table"]

Row = Sequence[str]
TITLES = {
    PREFERENCES: "preferences, 500 pairs, 10 % wrong",
    "true_reward": "true reward",
    "random_reward": "random reward",
    "bc": "behavior cloning, no reward",
    "nearest_expert": "nearest expert, best 5 % known",
    "segment_matching": "segment matching, best 5 % known",
}


def report(rows: Sequence[Row], page: Path) -> None:
    """Print the tables, and write each between its markers on the page."""
    tables = {
        "spearman": reward_table(rows, "spearman"),
        "accuracy": reward_table(rows, "accuracy"),
        "normalized": reward_table(rows, "normalized"),
        "policies": policy_table(rows),
    }
    for name, text in tables.items():
        print(f"\n## {name}\n\n{text}")
        replace_section(page, name, text)


def reward_table(rows: Sequence[Row], metric: str) -> str:
    """Return a line for each number of pairs and fraction of wrong labels, a column for each environment."""
    envs = _envs(rows)
    keys = sorted({(int(r[2]), float(r[3])) for r in rows if r[1] == PREFERENCES and r[5] == metric})
    lines = [["pairs", "wrong labels", *envs]]
    for n_pairs, flips in keys:
        cells = (
            _cell(
                r[6]
                for r in rows
                if r[:4] == [env, PREFERENCES, str(n_pairs), f"{flips:g}"] and r[5] == metric
            )
            for env in envs
        )
        lines.append([str(n_pairs), f"{100 * flips:g} %", *cells])
    return markdown(lines, 0)


def policy_table(rows: Sequence[Row]) -> str:
    """Return a line for each source of rewards, a column of normalized returns for each environment."""
    envs = _envs(rows)
    lines = [["reward", *envs]]
    for method in (PREFERENCES, *BASELINES):
        labels = ["500", "0.1"] if method == PREFERENCES else ["0", "0"]
        if method != RANDOM_POLICY:
            found = [r for r in rows if r[1:4] == [method, *labels] and r[5] == "normalized"]
            cells = (_cell(r[6] for r in found if r[0] == env) for env in envs)
            lines.append([TITLES[method], *cells])
    return markdown(lines)


def _envs(rows: Sequence[Row]) -> list[str]:
    present = {row[0] for row in rows}
    return [env for env in WORLDS if env in present]


def _cell(entries: Iterable[str]) -> str:
    """Return mean and interval over seeds, and the number of seeds if it is not 5."""
    values = np.array([float(entry) for entry in entries])
    if not len(values):
        return ""
    if len(values) == 1:
        return f"{values[0]:.2f} (1 seed)"
    text = str(bootstrap_interval(values, np.random.default_rng(0), "mean"))
    return text if len(values) == 5 else f"{text} ({len(values)} seeds)"
