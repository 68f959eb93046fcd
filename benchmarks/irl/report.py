"""Tables and figures of `benchmarks.irl.run`, from the csv alone.

`report`             tables and figures of all environments, printed and written to the documentation
`table`              Markdown table of some metrics of all methods
`complete_table`     the same, with a mark for each missing cell and the methods that were not run
`demonstrations`     Markdown table of the results with several numbers of demonstrations
`METRIC_GROUPS`      metrics of each table
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.irl.environments.registry import ENVIRONMENTS
from benchmarks.irl.figures import draw_demonstrations, draw_methods
from benchmarks.irl.methods.setup_tables import setup_tables
from benchmarks.irl.scores import TITLES, Scores, full_number, mean_interval, read_scores
from benchmarks.tables import markdown, replace_section

__all__ = ["METRIC_GROUPS", "TRUTH_GROUPS", "complete_table", "demonstrations", "report", "table"]

TRUTH_GROUPS = {
    "truths": (
        *("step_pearson", "step_spearman", "step_epic"),
        *("progress_pearson", "progress_spearman", "progress_epic"),
    ),
    "truths, mixed": (
        *("step_pearson_mixed", "step_spearman_mixed", "step_epic_mixed"),
        *("progress_pearson_mixed", "progress_spearman_mixed", "progress_epic_mixed"),
    ),
    "trained policies": (
        *("policy_normalized", "policy_return", "policy_success"),
        *("policy_success_blocked", "policy_success_heavy", "policy_success_walls"),
    ),
}
"""Metrics of the tables that show missing cells: both truths, and policies trained on the reward alone."""
METRIC_GROUPS = {
    "policies": (
        *("success", "return", "normalized", "length", "violations", "rl_success_same"),
        *("rl_success_blocked", "rl_success_heavy", "rl_success_walls", "rl_success_slip"),
    ),
    "correlations": (
        *("pearson", "spearman", "pearson_data", "spearman_data", "pearson_goal", "erc_pearson_base"),
        "pearson_distance",
    ),
    "distances": ("epic", "epic_goal", "starc_goal", "dard_goal"),
    "time": ("update_ms", "seconds", "peak_mib"),
}
"""Metrics of the other tables of an environment; a table has at most 8 columns."""
VARIANT_GROUPS = {
    "variants": ("success", "pearson", "spearman", "pearson_data", "spearman_data", "epic"),
    "variants, returns": ("erc_pearson_base", "normalized", "update_ms", "seconds"),
}
"""Metrics of the two tables of variants."""
DEMONSTRATION_METRICS = (
    *("success", "normalized", "pearson", "spearman", "epic", "pearson_distance", "erc_pearson_base"),
)
REFERENCES = (
    *("contrastive", "contrastive-full-obs", "contrastive-obs-act", "relative", "density-ratio"),
    "backprop-mmd-rbf",
)
"""Methods with which the variants are compared."""
AT_THE_FLOOR = ("hopper", "halfcheetah", "large", "large-avoid")
"""Environments in which the earlier policies failed with the true reward as well; their `rl_` metrics are in
the csv and not in the tables."""
MISSING = "-"


def report(
    rows: Sequence[Sequence[str]], docs: Path, main: Sequence[str], variants: Sequence[str] = ()
) -> None:
    """Print and write all tables, and draw all figures.

    Args:
        rows: rows of the csv: world, method, seed, demos, metric, value.
        docs: folder of the documentation, with `results/irl.md` and `images/`.
        main: methods of the main tables, in their order.
        variants: methods of the tables of variants, which follow the reference methods.
    """
    page = docs / "results" / "irl.md"
    for name, text in setup_tables().items():
        replace_section(page, name, text)
    by_world: dict[str, Scores] = {world: {} for world in ENVIRONMENTS} | read_scores(rows)
    for world, scores in by_world.items():
        if world in AT_THE_FLOOR:
            _remove(scores, "rl_")
        texts = {
            f"{world} {group}": complete_table(scores, metrics, main)
            for group, metrics in TRUTH_GROUPS.items()
        }
        texts |= _tables(scores, world, METRIC_GROUPS, main)
        if any(name in scores for name in variants):
            texts |= _tables(scores, world, VARIANT_GROUPS, (*REFERENCES, *variants))
        if any(len(by_number) > 1 for by_number in scores.values()):
            texts[f"{world} demonstrations"] = demonstrations(scores)
            draw_demonstrations(scores, docs / "images" / f"irl-{world}-demonstrations.png", world)
        for name, text in texts.items():
            print(f"\n## {name}\n\n{text}")
            replace_section(page, name, text)
        draw_methods(scores, main, docs / "images" / f"irl-{world}.png", world)


def _remove(scores: Scores, start: str) -> None:
    """Remove the metrics whose names begin with `start`."""
    for by_number in scores.values():
        for values in by_number.values():
            for metric in [metric for metric in values if metric.startswith(start)]:
                del values[metric]


def _tables(
    scores: Scores, world: str, groups: Mapping[str, Sequence[str]], methods: Sequence[str]
) -> dict[str, str]:
    """Return a table for each group of metrics that any of the methods has."""
    some = {name: scores[name] for name in methods if name in scores}
    texts = {f"{world} {group}": table(some, metrics) for group, metrics in groups.items()}
    return {name: text for name, text in texts.items() if text}


def table(scores: Scores, metrics: Sequence[str], missing: str = "") -> str:
    """Return a line for each method with any of the metrics: means over seeds with bootstrap intervals.

    The text is empty if no method has any of the metrics.  `missing` stands in cells without a value.
    """
    number = full_number(scores)
    rows = {
        method: by_number[number]
        for method, by_number in scores.items()
        if any(metric in by_number.get(number, {}) for metric in metrics)
    }
    shown = [metric for metric in metrics if any(metric in values for values in rows.values())]
    if not shown:
        return ""
    lines = [["method", "seeds", *(TITLES[metric] for metric in shown)]]
    for method, values in rows.items():
        n_seeds = max(len(values.get(metric, [])) for metric in shown)
        cells = (_cell(values.get(metric, []), metric, n_seeds) or missing for metric in shown)
        lines.append([method, str(n_seeds), *cells])
    return markdown(lines)


def complete_table(scores: Scores, metrics: Sequence[str], methods: Sequence[str]) -> str:
    """Return a table with a mark in each missing cell, and the methods that have no cell at all."""
    some = {name: scores[name] for name in methods if name in scores}
    text = table(some, metrics, MISSING)
    number = full_number(scores)
    absent = [
        name
        for name in methods
        if not any(metric in scores.get(name, {}).get(number, {}) for metric in metrics)
    ]
    if not text:
        return "Not run."
    line = f"Without these results: {', '.join(f'`{name}`' for name in absent)}." if absent else ""
    return "\n\n".join(part for part in (text, line) if part)


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
