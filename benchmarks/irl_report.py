"""Tables and figures of `irl.py`, from its csv alone.

`report`  prints a table for each world, draws the figures, and rewrites the tables of `docs/irl.md`
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np
from tables import markdown, replace

from rlpriors.checkpoint import write_atomically
from rlpriors.evaluation.intervals import bootstrap_interval

matplotlib.use("Agg")

from matplotlib import pyplot as plt

__all__ = ["report"]

DEMOS = "20"
TITLES = {
    "success": "success",
    "return": "return",
    "normalised": "normalised",
    "length": "steps",
    "pearson": "Pearson",
    "spearman": "Spearman",
    "pearson_data": "Pearson, data",
    "spearman_data": "Spearman, data",
    "pearson_goal": "Pearson, goal",
    "epic": "EPIC",
    "epic_goal": "EPIC, goal",
    "pearson_distance": "Pearson distance",
    "starc_goal": "STARC, goal",
    "dard_goal": "DARD, goal",
    "erc_pearson_mixed": "ERC Pearson",
    "violations": "violations",
    "rl_success_same": "RL",
    "rl_normalised_same": "RL, normalised",
    "rl_success_blocked": "RL, blocked",
    "rl_success_heavy": "RL, heavy",
    "rl_success_walls": "RL, walls",
    "rl_success_slip": "RL, slip",
    "update_ms": "ms / update",
    "seconds": "seconds",
    "peak_mib": "peak MiB",
}
"""The metrics that the tables show, in this order."""

BASES = ("contrastive", "contrastive-all", "relative", "ratio", "chain-mmd-rbf")
"""What variants are held against."""
VARIED = (
    *("success", "pearson", "spearman", "pearson_data", "spearman_data", "epic"),
    *("erc_pearson_mixed", "normalised", "update_ms", "seconds"),
)

FEW = ("success", "normalised", "pearson", "spearman", "epic", "pearson_distance", "erc_pearson_mixed")
"""What is shown against the number of demonstrations."""

Scores = dict[str, dict[str, dict[str, list[float]]]]
"""Values over seeds, by method, number of demonstrations and metric."""


def report(
    rows: Sequence[Sequence[str]], docs: Path, main: Sequence[str], variants: Sequence[str] = ()
) -> None:
    """Show what the rows (world, method, seed, demos, metric, value) say.

    `main` and `variants` name methods in the order of their tables; `variants` stand below their base.
    """
    by_world: dict[str, Scores] = {}
    for world, method, _, demos, metric, value in rows:
        scores = by_world.setdefault(world, defaultdict(lambda: defaultdict(lambda: defaultdict(list))))
        scores[method][demos][metric].append(float(value))
    for world, scores in sorted(by_world.items()):
        texts = {world: table({name: scores[name] for name in main if name in scores})}
        if any(name in scores for name in variants):
            chosen = [name for name in (*BASES, *variants) if name in scores]
            texts[f"{world} variants"] = table({name: scores[name] for name in chosen}, VARIED)
        for mark, text in texts.items():
            print(f"\n## {mark}\n\n{text}")
            replace(docs / "irl.md", mark, text)
        if any(len(demos) > 1 for demos in scores.values()):
            text = by_demonstrations(scores)
            print(f"\n## {world} demonstrations\n\n{text}")
            replace(docs / "irl.md", f"{world} demonstrations", text)
            _figure(scores, docs / "images" / f"irl-{world}-demonstrations.png", world)


def table(scores: Scores, metrics: Sequence[str] = tuple(TITLES)) -> str:
    """Markdown: a line for each method, the mean over seeds with its 95 % bootstrap interval."""
    rows = {method: by_demos[DEMOS] for method, by_demos in scores.items() if DEMOS in by_demos}
    shown = [metric for metric in metrics if any(metric in numbers for numbers in rows.values())]
    lines = [["method", "seeds", *(TITLES[metric] for metric in shown)]]
    for method, numbers in rows.items():
        seeds = max(len(values) for values in numbers.values())
        cells = (_cell(numbers.get(metric, []), metric, seeds) for metric in shown)
        lines.append([method, str(seeds), *cells])
    return markdown(lines)


def by_demonstrations(scores: Scores) -> str:
    """Markdown: a line for each method and number of demonstrations, of methods with several of these."""
    found = {
        (method, n): numbers
        for method, by_demos in scores.items()
        if len(by_demos) > 1
        for n, numbers in sorted(by_demos.items(), key=lambda item: int(item[0]))
    }
    shown = [metric for metric in TITLES if metric in FEW and any(metric in row for row in found.values())]
    lines = [["method", "demonstrations", "seeds", *(TITLES[metric] for metric in shown)]]
    for (method, n), numbers in found.items():
        seeds = max(len(values) for values in numbers.values())
        lines.append([method, n, str(seeds), *(_cell(numbers.get(m, []), m, seeds) for m in shown)])
    return markdown(lines)


def _cell(values: list[float], metric: str, seeds: int) -> str:
    """The mean, its interval, and in parentheses the number of seeds where it is below the row's."""
    if not values:
        return ""
    digits = 0 if metric in ("seconds", "update_ms", "peak_mib") else 2
    mean = f"{np.mean(values):.{digits}f}"
    fewer = f" ({len(values)})" if len(values) < seeds else ""
    if len(values) < 2:
        return mean + fewer
    found = bootstrap_interval(np.array(values), np.random.default_rng(0), "mean")
    return f"{mean} [{found.low:.{digits}f}, {found.high:.{digits}f}]{fewer}"


def _figure(scores: Scores, path: Path, world: str) -> None:
    """Success and quality of the reward against the number of demonstrations."""
    known = {metric for by_demos in scores.values() for numbers in by_demos.values() for metric in numbers}
    metrics = (
        "success" if "success" in known else "return",
        "spearman",
        "epic" if "epic" in known else "pearson_distance",
    )
    figure, axes = plt.subplots(1, len(metrics), figsize=(4 * len(metrics), 3.2))
    several = [method for method, by_demos in scores.items() if len(by_demos) > 1]
    for axis, metric in zip(axes, metrics, strict=True):
        for place, method in enumerate(several):
            by_demos = scores[method]
            points = [
                (int(n), np.mean(numbers[metric]), np.array(numbers[metric]))
                for n, numbers in sorted(by_demos.items(), key=lambda item: int(item[0]))
                if metric in numbers
            ]
            if len(points) < 2:
                continue
            counts, means, values = zip(*points, strict=True)
            (line,) = axis.plot(counts, means, "o-", label=method, markersize=3, color=f"C{place}")
            low, high = zip(*(_interval(value) for value in values), strict=True)
            axis.fill_between(counts, low, high, alpha=0.15, color=line.get_color())
        axis.set(title=TITLES[metric], xlabel="demonstrations", xscale="log")
        axis.set_xticks([1, 2, 5, 20], ["1", "2", "5", "20"])
    axes[0].legend(fontsize=7)
    figure.suptitle(world)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, partial(figure.savefig, format="png", dpi=110))
    plt.close(figure)


def _interval(values: np.ndarray) -> tuple[float, float]:
    if len(values) < 2:
        return float(values[0]), float(values[0])
    found = bootstrap_interval(values, np.random.default_rng(0), "mean")
    return found.low, found.high
