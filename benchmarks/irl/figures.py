"""Figures of `benchmarks.irl.run`.

`draw_methods`         main metrics of every method in an environment
`draw_demonstrations`  main metrics against the number of demonstrations

Pages show the figures 900 pixels wide.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.irl.scores import TITLES, Scores, full_number, mean_interval
from rlpriors.storage.atomic import write_atomically

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

__all__ = ["draw_demonstrations", "draw_methods"]

PANELS = (
    ("success", "normalized"),
    ("spearman", "step_spearman"),
    ("epic", "pearson_distance"),
    ("policy_normalized", "rl_success_same", "rl_normalized_same"),
)
"""Metrics of the panels; a panel shows the first of its metrics that the environment has."""
LOW_IS_BEST = ("epic", "pearson_distance")
WIDTH, DPI = 9.0, 100  # inches, and pixels per inch
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Colors that people with red-green blindness can distinguish (Okabe and Ito 2008)."""
MARKERS = "osD^v<"


def draw_methods(scores: Scores, methods: Sequence[str], path: Path, title: str) -> None:
    """Draw a dot for the mean over seeds and a line for its 95 % bootstrap interval, from top to bottom.

    No file is written if no method has any of the metrics.
    """
    number = full_number(scores)
    rows = [(method, scores[method][number]) for method in methods if number in scores.get(method, {})]
    metrics = _metrics(values for _, values in rows)
    if not metrics:
        return
    figure, axes = plt.subplots(
        1, len(metrics), figsize=(WIDTH, 1.2 + 0.23 * len(rows)), sharey=True, squeeze=False
    )
    for axis, metric in zip(axes[0], metrics, strict=True):
        for place, (_, by_metric) in enumerate(rows):
            values = by_metric.get(metric)
            if values:
                axis.plot(mean_interval(values), (place, place), color=COLORS[0], linewidth=2)
                axis.plot(np.mean(values), place, "o", color=COLORS[0], markersize=5)
        axis.set_title(_title(metric), fontsize=10)
        axis.grid(alpha=0.4)
        axis.tick_params(labelsize=9, length=0)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
    axes[0, 0].set_yticks(range(len(rows)), [method for method, _ in rows])
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    _save(figure, path, title)


def draw_demonstrations(scores: Scores, path: Path, title: str) -> None:
    """Draw the main metrics against the number of demonstrations, with a band for the interval."""
    curves = {
        method: {
            metric: curve
            for metric in {metric for values in by_number.values() for metric in values}
            if len(curve := {int(n): x[metric] for n, x in by_number.items() if metric in x}) > 1
        }
        for method, by_number in scores.items()
    }
    metrics = _metrics(curves.values())
    if not metrics:
        return
    figure, axes = plt.subplots(1, len(metrics), figsize=(WIDTH, 3.0), squeeze=False)
    drawn = [method for method, by_metric in curves.items() if by_metric]
    for axis, metric in zip(axes[0], metrics, strict=True):
        for place, method in enumerate(drawn):
            curve = curves[method].get(metric)
            if not curve:
                continue
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            counts = sorted(curve)
            means = [np.mean(curve[n]) for n in counts]
            axis.plot(counts, means, color=color, marker=marker, markersize=4, label=method)
            low, high = zip(*(mean_interval(curve[n]) for n in counts), strict=True)
            axis.fill_between(counts, low, high, alpha=0.15, color=color)
        axis.set_title(_title(metric), fontsize=10)
        axis.set(xlabel="demonstrations", xscale="log")
        axis.set_xticks([1, 2, 5, 20], ["1", "2", "5", "20"])
        axis.minorticks_off()
    axes[0, 0].legend(fontsize=8)
    _save(figure, path, title)


def _metrics(values_of_methods: Iterable[Mapping[str, object]]) -> list[str]:
    """Return the metrics of the panels, from left to right; at least one method has each of them."""
    known = {metric for values in values_of_methods for metric in values}
    metrics = (next((metric for metric in panel if metric in known), None) for panel in PANELS)
    return [metric for metric in metrics if metric is not None]


def _title(metric: str) -> str:
    return f"{TITLES[metric]} (0 is best)" if metric in LOW_IS_BEST else TITLES[metric]


def _save(figure: Figure, path: Path, title: str) -> None:
    figure.suptitle(title, fontsize=11)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, partial(figure.savefig, format="png", dpi=DPI, pil_kwargs={"optimize": True}))
    plt.close(figure)
