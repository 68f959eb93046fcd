"""Figures of `irl.py`.

`draw_methods`         every method by the chief metrics of a world
`draw_demonstrations`  those metrics against the number of demonstrations

Pages show them 900 pixels wide.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

import matplotlib
import numpy as np

from benchmarks.irl.scores import DEMOS, TITLES, Scores, interval
from rlpriors.checkpoint import write_atomically

matplotlib.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.figure import Figure

__all__ = ["draw_demonstrations", "draw_methods"]

PANELS = (
    ("success", "normalized"),
    ("spearman",),
    ("epic", "pearson_distance"),
    ("rl_success_same", "rl_normalized_same"),
)
"""What a world's panels show, of each the first that it has."""
LOW_IS_GOOD = ("epic", "pearson_distance")
WIDTH, DPI = 9.0, 100  # inches, and pixels of each
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00")
"""Told apart also by those who confuse red and green (Okabe and Ito 2008)."""
MARKERS = "osD^v<"


def draw_methods(scores: Scores, methods: Sequence[str], path: Path, world: str) -> None:
    """A dot for the mean over seeds and a line for its 95 % bootstrap interval, methods from above.

    Nothing is drawn for a world that has none of the metrics.
    """
    rows = [(method, scores[method][DEMOS]) for method in methods if DEMOS in scores.get(method, {})]
    metrics = _metrics(numbers for _, numbers in rows)
    if not metrics:
        return
    figure, axes = plt.subplots(
        1, len(metrics), figsize=(WIDTH, 1.2 + 0.23 * len(rows)), sharey=True, squeeze=False
    )
    for axis, metric in zip(axes[0], metrics, strict=True):
        for place, (_, numbers) in enumerate(rows):
            values = numbers.get(metric)
            if values:
                axis.plot(interval(values), (place, place), color=COLORS[0], linewidth=2)
                axis.plot(np.mean(values), place, "o", color=COLORS[0], markersize=5)
        axis.set_title(_title(metric), fontsize=10)
        axis.grid(alpha=0.4)
        axis.tick_params(labelsize=9, length=0)
        for side in ("top", "right", "left"):
            axis.spines[side].set_visible(False)
    axes[0, 0].set_yticks(range(len(rows)), [method for method, _ in rows])
    axes[0, 0].set_ylim(len(rows) - 0.5, -0.5)
    _save(figure, path, world)


def draw_demonstrations(scores: Scores, path: Path, world: str) -> None:
    """Success and quality of the reward against the number of demonstrations; a band for the interval."""
    curves = {
        method: {
            metric: found
            for metric in {metric for numbers in by_demos.values() for metric in numbers}
            if len(found := {int(n): by_demos[n][metric] for n in by_demos if metric in by_demos[n]}) > 1
        }
        for method, by_demos in scores.items()
    }
    metrics = _metrics(curves.values())
    if not metrics:
        return
    figure, axes = plt.subplots(1, len(metrics), figsize=(WIDTH, 3.0), squeeze=False)
    drawn = [method for method, by_metric in curves.items() if by_metric]
    for axis, metric in zip(axes[0], metrics, strict=True):
        for place, method in enumerate(drawn):
            found = curves[method].get(metric)
            if not found:
                continue
            color, marker = COLORS[place % len(COLORS)], MARKERS[place % len(MARKERS)]
            counts = sorted(found)
            means = [np.mean(found[n]) for n in counts]
            axis.plot(counts, means, color=color, marker=marker, markersize=4, label=method)
            low, high = zip(*(interval(found[n]) for n in counts), strict=True)
            axis.fill_between(counts, low, high, alpha=0.15, color=color)
        axis.set_title(_title(metric), fontsize=10)
        axis.set(xlabel="demonstrations", xscale="log")
        axis.set_xticks([1, 2, 5, 20], ["1", "2", "5", "20"])
        axis.minorticks_off()
    axes[0, 0].legend(fontsize=8)
    _save(figure, path, world)


def _metrics(of_methods: Iterable[Mapping[str, object]]) -> list[str]:
    """The chief metrics that any of the methods has, from left to right."""
    known = {metric for numbers in of_methods for metric in numbers}
    found = (next((metric for metric in panel if metric in known), None) for panel in PANELS)
    return [metric for metric in found if metric is not None]


def _title(metric: str) -> str:
    return f"{TITLES[metric]} (0 is best)" if metric in LOW_IS_GOOD else TITLES[metric]


def _save(figure: Figure, path: Path, world: str) -> None:
    figure.suptitle(world, fontsize=11)
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, partial(figure.savefig, format="png", dpi=DPI, pil_kwargs={"optimize": True}))
    plt.close(figure)
