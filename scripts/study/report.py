"""Results of a study: csv, statistics, table and figure.

`Row`                      result of one cell
`read_rows`, `write_rows`  rows of the csv
`ordered_splits`           splits, the farthest first
`study_table`              mIoU by split, number of labels and mode
`correlation`              rank correlation of distance and mIoU, with a bootstrap interval
`permutation_p_value`      p-value of this correlation
`miou_difference`          difference of two splits' mIoU on the same seeds
`draw_figure`              mIoU against distance
"""

import csv
from collections.abc import Sequence
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float
from rich.table import Table

from rlpriors.data.photos.coco import SPLITS as COCO_SPLITS
from rlpriors.evaluation.intervals import Interval, bootstrap_interval, paired_difference
from rlpriors.evaluation.rewards.epic import spearman
from rlpriors.scripts.study.splits import CONTROLS, SPLITS
from rlpriors.storage.atomic import write_atomically

__all__ = [
    "DISTANCES",
    "Row",
    "correlation",
    "draw_figure",
    "miou_difference",
    "ordered_splits",
    "permutation_p_value",
    "read_rows",
    "study_table",
    "write_rows",
]

DISTANCES = ("distance_frechet", "distance_recon", "distance_auc")


class Row(NamedTuple):
    """Result of one cell; distances are None without pretraining."""

    target: str
    split: str
    labels: int
    mode: str
    seed: int
    distance_frechet: float | None
    distance_recon: float | None
    distance_auc: float | None
    miou: float


def read_rows(path: Path) -> list[Row]:
    """Read the rows of a csv; an empty list without a file."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return [
            Row(
                target=row["target"],
                split=row["split"],
                labels=int(row["labels"]),
                mode=row["mode"],
                seed=int(row["seed"]),
                miou=float(row["miou"]),
                **{name: float(row[name]) if row[name] else None for name in DISTANCES},
            )
            for row in csv.DictReader(file)
        ]


def write_rows(path: Path, rows: Sequence[Row]) -> None:
    """Write all rows to a csv, atomically."""

    def write(temporary: Path) -> None:
        with temporary.open("w", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Row._fields)
            for row in sorted(rows, key=lambda row: row[:5]):
                writer.writerow(["" if v is None else f"{v:.6g}" if isinstance(v, float) else v for v in row])

    write_atomically(path, write)


def ordered_splits(rows: Sequence[Row]) -> list[str]:
    """Return the splits of `rows`, the farthest first and controls last."""
    splits = {row.split for row in rows}
    known = (*SPLITS, *COCO_SPLITS, *CONTROLS)
    return [split for split in known if split in splits] + sorted(splits - set(known))


def study_table(rows: Sequence[Row]) -> Table:
    """Return the mean mIoU over seeds: a row for each split, a column for each number of labels and mode."""
    columns = sorted({(row.mode, row.labels) for row in rows}, key=lambda pair: (pair[0] == "full", pair[1]))
    table = Table("split", title="mIoU on the target")
    for mode, labels in columns:
        table.add_column(f"{mode}, {labels}", justify="right")
    for split in ordered_splits(rows):
        mious = [
            [row.miou for row in rows if (row.split, row.mode, row.labels) == (split, *column)]
            for column in columns
        ]
        table.add_row(split, *(f"{np.mean(values):.3f}" if values else "" for values in mious))
    return table


def correlation(
    rows: Sequence[Row], distance: str, rng: np.random.Generator, n_resamples: int = 2000
) -> Interval:
    """Return Spearman's correlation of a distance and mIoU over splits, with an interval over seeds.

    The estimate is the mean over seeds; it is -1 if a closer split is always better.  `rows` are of one
    target, mode and number of labels.  Splits without a distance are left out.

    Raises:
        ValueError: fewer than two seeds with three splits each.
    """
    correlations = [spearman(*pairs.T) for pairs in _by_seed(rows, distance)]
    return bootstrap_interval(np.array(correlations), rng, "mean", n_resamples=n_resamples)


def permutation_p_value(rows: Sequence[Row], distance: str) -> float:
    """Return the two-sided p-value of `correlation` by an exact permutation test over splits.

    It is the fraction of all orders of the splits with at least as strong a correlation.  An order is equal
    for all seeds.  With five splits the p-value is at least 2 / 120.

    Raises:
        ValueError: an error of `correlation`, or the seeds have different splits.
    """
    pairs_by_seed = _by_seed(rows, distance)
    counts = {len(pairs) for pairs in pairs_by_seed}
    if len(counts) > 1:
        raise ValueError(
            f"`rows` must have the same splits of every seed. Received {sorted(counts)} splits by seed."
        )
    orders = [list(order) for order in permutations(range(counts.pop()))]
    means = np.array(
        [np.mean([spearman(pairs[order, 0], pairs[:, 1]) for pairs in pairs_by_seed]) for order in orders]
    )
    return float(np.mean(np.abs(means) >= abs(means[0]) - 1e-9))  # the first order is the observed one


def _by_seed(rows: Sequence[Row], distance: str) -> list[Float[np.ndarray, "splits 2"]]:
    """Return distance and mIoU of the splits of each seed, in the order of their names."""
    by_seed: dict[int, list[tuple[float, float]]] = {}
    for row in sorted(rows, key=lambda row: row.split):
        value = getattr(row, distance)
        if value is not None and row.split != "shuffled":  # a control, far from everything
            by_seed.setdefault(row.seed, []).append((value, row.miou))
    all_pairs = [np.array(pairs) for pairs in by_seed.values() if len(pairs) >= 3]
    # Equal distances have no order, such as when a classifier separates every split from the target.
    varying = [pairs for pairs in all_pairs if np.ptp(pairs, 0).all()]
    if len(varying) < 2:
        raise ValueError(
            f"`rows` must have two seeds with three splits each. Received {len(varying)} such seeds."
        )
    return varying


def miou_difference(rows: Sequence[Row], split: str, other: str, rng: np.random.Generator) -> Interval | None:
    """Return the mIoU of `split` minus that of `other` on the same seeds; None for fewer than two seeds.

    `rows` are of one target, mode and number of labels.
    """
    one, two = ({row.seed: row.miou for row in rows if row.split == name} for name in (split, other))
    seeds = sorted(one.keys() & two.keys())
    if len(seeds) < 2:
        return None
    a, b = (np.array([side[seed] for seed in seeds]) for side in (one, two))
    return paired_difference(a, b, rng)


def draw_figure(rows: Sequence[Row], path: Path, distance: str = "distance_frechet") -> None:
    """Draw mIoU against distance: a panel per number of labels, a color per mode, a mark per split."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    labels = sorted({row.labels for row in rows})
    drawing, axes = plt.subplots(1, len(labels), figsize=(3.6 * len(labels), 3.2), squeeze=False)
    for axis, n in zip(axes[0], labels, strict=True):
        for color, mode in enumerate(sorted({row.mode for row in rows})):
            chosen = [row for row in rows if row.labels == n and row.mode == mode]
            for split in dict.fromkeys(row.split for row in chosen):
                cells = [row for row in chosen if row.split == split and getattr(row, distance) is not None]
                if not cells:
                    continue
                x = float(np.mean([getattr(row, distance) for row in cells]))
                scores = np.array([row.miou for row in cells])
                axis.errorbar(
                    x, scores.mean(), _bars(scores), fmt="o", color=f"C{color}", markersize=4, capsize=2
                )
                axis.annotate(
                    split, (x, scores.mean()), fontsize=7, xytext=(3, 3), textcoords="offset points"
                )
            none = [row.miou for row in chosen if row.split == "none"]
            if none:
                axis.axhline(np.mean(none), color=f"C{color}", linestyle=":", label=f"{mode}, no pretraining")
        axis.set(title=f"{n} labels", xlabel=distance.replace("_", " "), ylabel="mIoU")
    axes[0][0].legend(fontsize=7)
    drawing.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, partial(drawing.savefig, format="png", dpi=110))
    plt.close(drawing)


def _bars(scores: np.ndarray) -> np.ndarray:
    """Return the lengths of the error bars below and above the mean."""
    if len(scores) < 2:
        return np.zeros((2, 1))
    interval = bootstrap_interval(scores, np.random.default_rng(0), "mean")
    return np.array([[interval.estimate - interval.low], [interval.high - interval.estimate]])
