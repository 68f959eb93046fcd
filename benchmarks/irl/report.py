"""Tables and figures of `benchmarks.irl.run`, from the csv alone.

`report`             tables and figures of all environments, printed and written to the documentation
`table`              Markdown table of some metrics of all methods
`demonstrations`     Markdown table of the results with several numbers of demonstrations
`METRIC_GROUPS`      metrics of each table
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.irl.figures import draw_demonstrations, draw_methods
from benchmarks.irl.scores import N_DEMONSTRATIONS, TITLES, Scores, mean_interval, read_scores
from benchmarks.tables import markdown, replace_section

__all__ = ["METRIC_GROUPS", "demonstrations", "report", "table"]

METRIC_GROUPS = {
    "policies": (
        *("success", "return", "normalized", "length", "violations", "rl_success_same", "rl_normalized_same"),
        *("rl_success_blocked", "rl_success_heavy", "rl_success_walls", "rl_success_slip"),
    ),
    "correlations": (
        *("pearson", "spearman", "pearson_data", "spearman_data", "pearson_goal", "erc_pearson_mixed"),
        "pearson_distance",
    ),
    "distances": ("epic", "epic_goal", "starc_goal", "dard_goal"),
    "time": ("update_ms", "seconds", "peak_mib"),
}
"""Metrics of the four tables of an environment; a table has at most 8 columns."""
VARIANT_GROUPS = {
    "variants": ("success", "pearson", "spearman", "pearson_data", "spearman_data", "epic"),
    "variants, returns": ("erc_pearson_mixed", "normalized", "update_ms", "seconds"),
}
"""Metrics of the two tables of variants."""
DEMONSTRATION_METRICS = (
    *("success", "normalized", "pearson", "spearman", "epic", "pearson_distance", "erc_pearson_mixed"),
)
REFERENCES = (
    *("contrastive", "contrastive-full-obs", "contrastive-obs-act", "relative", "density-ratio"),
    "backprop-mmd-rbf",
)
"""Methods with which the variants are compared."""


def report(
    rows: Sequence[Sequence[str]], docs: Path, main: Sequence[str], variants: Sequence[str] = ()
) -> None:
    """Print and write all tables, and draw all figures.

    Args:
        rows: rows of the csv: environment, method, seed, n_demonstrations, metric, value.
        docs: folder of the documentation, with `results/irl.md` and `images/`.
        main: methods of the main tables, in their order.
        variants: methods of the tables of variants, which follow the reference methods.
    """
    for environment, scores in read_scores(rows).items():
        texts = _tables(scores, environment, METRIC_GROUPS, main)
        if any(name in scores for name in variants):
            texts |= _tables(scores, environment, VARIANT_GROUPS, (*REFERENCES, *variants))
        if any(len(by_number) > 1 for by_number in scores.values()):
            texts[f"{environment} demonstrations"] = demonstrations(scores)
            draw_demonstrations(
                scores, docs / "images" / f"irl-{environment}-demonstrations.png", environment
            )
        for name, text in texts.items():
            print(f"\n## {name}\n\n{text}")
            replace_section(docs / "results" / "irl.md", name, text)
        draw_methods(scores, main, docs / "images" / f"irl-{environment}.png", environment)


def _tables(
    scores: Scores, environment: str, groups: Mapping[str, Sequence[str]], methods: Sequence[str]
) -> dict[str, str]:
    """Return a table for each group of metrics that any of the methods has."""
    some = {name: scores[name] for name in methods if name in scores}
    texts = {f"{environment} {group}": table(some, metrics) for group, metrics in groups.items()}
    return {name: text for name, text in texts.items() if text}


def table(scores: Scores, metrics: Sequence[str]) -> str:
    """Return a line for each method with any of the metrics: means over seeds with bootstrap intervals.

    The text is empty if no method has any of the metrics.
    """
    rows = {
        method: by_number[N_DEMONSTRATIONS]
        for method, by_number in scores.items()
        if any(metric in by_number.get(N_DEMONSTRATIONS, {}) for metric in metrics)
    }
    shown = [metric for metric in metrics if any(metric in values for values in rows.values())]
    if not shown:
        return ""
    lines = [["method", "seeds", *(TITLES[metric] for metric in shown)]]
    for method, values in rows.items():
        n_seeds = max(len(x) for x in values.values())
        lines.append([method, str(n_seeds), *(_cell(values.get(m, []), m, n_seeds) for m in shown)])
    return markdown(lines)


def demonstrations(scores: Scores) -> str:
    """Return a line for each number of demonstrations of the methods with several of them."""
    rows = {
        (method, n): values
        for method, by_number in scores.items()
        if len(by_number) > 1
        for n, values in sorted(by_number.items(), key=lambda item: int(item[0]))
    }
    shown = [metric for metric in DEMONSTRATION_METRICS if any(metric in values for values in rows.values())]
    lines = [["method", "demonstrations", "seeds", *(TITLES[metric] for metric in shown)]]
    for (method, n), values in rows.items():
        n_seeds = max(len(x) for x in values.values())
        lines.append([method, n, str(n_seeds), *(_cell(values.get(m, []), m, n_seeds) for m in shown)])
    return markdown(lines)


def _cell(values: list[float], metric: str, n_seeds: int) -> str:
    """Return the mean and its interval, and the number of seeds in parentheses if it is below the row's."""
    if not values:
        return ""
    digits = 0 if metric in ("seconds", "update_ms", "peak_mib") else 2
    mean = f"{np.mean(values):.{digits}f}"
    fewer = f" ({len(values)})" if len(values) < n_seeds else ""
    if len(values) < 2:
        return mean + fewer
    low, high = mean_interval(values)
    return f"{mean} [{low:.{digits}f}, {high:.{digits}f}]{fewer}"
